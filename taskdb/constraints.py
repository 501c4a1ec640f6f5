"""The meaning of the task database's constraints, where their names do not say it all.

The schema names its constraints as facts, `priority_is_1_to_10_inclusive` of a domain: most say
their field and rule themselves (`taskdb.query.translation`). These are the rest: facts about
several columns, and formats. A key that people call a row by is shown in the message.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from taskdb.query.translation import ConstraintRule as Rule

__all__ = ["CONSTRAINTS", "without_shard"]

CONSTRAINTS: Final[Mapping[str, Rule]] = {
    "changes_json_is_object_of_texts_or_nulls": Rule(
        None, "must be a JSON object of texts and nulls"
    ),
    "claim_pauses_one_scope": Rule(
        "epic_id", "must be null if feature_id or agent_type is given: a pause has one scope"
    ),
    "claim_pauses_once_per_scope": Rule("epic_id", "must not be paused twice"),
    "design_jobs_completed_at_exactly_when_completed": Rule(
        "completed_at", "must be set exactly when status is completed"
    ),
    "design_jobs_error_only_when_failed": Rule(
        "error_message", "must be null unless status is failed"
    ),
    "design_outputs_once_per_type": Rule("output_type", "must be unique among its job's outputs"),
    "epics_key_is_e_and_digits": Rule("key", "must be E and two to six digits, as in E04"),
    "epics_key_is_unique": Rule("key", "must be unique in epics", shows_value=True),
    "execution_steps_deadline_only_in_progress": Rule(
        "deadline_at", "must be null unless status is in_progress"
    ),
    "execution_steps_ended_exactly_at_an_end": Rule(
        "ended_at", "must be set exactly when the step has ended"
    ),
    "execution_steps_pkey": Rule("key", "must be unique among its execution's steps"),
    "execution_steps_retry_at_exactly_while_retrying": Rule(
        "retry_at", "must be set exactly while status is retrying"
    ),
    "external_dependencies_of_a_task_or_a_workflow": Rule(
        "task_id", "must be given, or workflow_id, and not both"
    ),
    "features_key_is_epic_and_f_and_digits": Rule(
        "key", "must be its epic's key, a hyphen, F and two to six digits, as in E04-F01"
    ),
    "features_key_is_unique": Rule("key", "must be unique in features", shows_value=True),
    "generated_trd_documents_version_once_per_session": Rule(
        "version", "must be unique among its session's documents"
    ),
    "guards_pkey": Rule("name", "must be unique among the guards"),
    "implementation_tasks_branch_has_1_to_250_characters": Rule(
        "branch_name", "must have 1 to 250 characters"
    ),
    "implementation_tasks_files_are_named_in_one_way": Rule(
        "assigned_files",
        "must be paths of up to 1,000 characters, without '.', '..' and '//'",
    ),
    "implementation_tasks_merge_commit_only_if_merged": Rule(
        "merge_commit_sha", "must be null unless merged_at is set"
    ),
    "implementation_tasks_scope_is_a_phase": Rule(
        "scope", "must be the name of a phase of the specification, and a phase with tasks stays"
    ),
    "implementation_tasks_spec_exists": Rule(
        "spec_id", "must name a specification, which keeps its type while it has tasks"
    ),
    "modification_status_transitions_statuses_differ": Rule(
        "new_status", "must differ from old_status"
    ),
    "modification_status_transitions_pkey": Rule(
        "new_status", "must follow an old_status only once"
    ),
    "modifications_applied_at_exactly_when_applied": Rule(
        "applied_at", "must be set exactly when status is applied"
    ),
    "modifications_applied_with_files": Rule(
        "modified_files", "must be given for an applied modification"
    ),
    "modifications_ended_exactly_at_an_end": Rule(
        "ended_at", "must be set exactly when status is applied, failed or rejected"
    ),
    "name_list_has_no_empty_names": Rule(None, "must have no empty names"),
    "object_json_can_be_read": Rule(
        None, "must have fewer than 1,000 levels, and numbers that a double holds"
    ),
    "object_json_is_object": Rule(None, "must be a JSON object"),
    "option_list_can_be_read": Rule(
        None, "must have fewer than 1,000 levels, and numbers that a double holds"
    ),
    "option_list_is_array_of_named_objects": Rule(
        None, "must be a JSON array of objects, each with a name that is not empty"
    ),
    "project_environments_once_per_project": Rule(
        "project_id", "must be unique in project_environments"
    ),
    "session_status_transitions_statuses_differ": Rule("new_status", "must differ from old_status"),
    "session_status_transitions_pkey": Rule("new_status", "must follow an old_status only once"),
    "spec_dependencies_pkey": Rule("depends_on_id", "must not be a dependency of the spec twice"),
    "spec_phases_pkey": Rule("name", "must be unique among the phases"),
    "spec_search_pkey": Rule("spec_id", "must have its words only once"),
    "spec_status_transitions_statuses_differ": Rule("new_status", "must differ from old_status"),
    "spec_status_transitions_pkey": Rule("new_status", "must follow an old_status only once"),
    "task_dependencies_pkey": Rule("depends_on_id", "must not be a dependency of the task twice"),
    "task_files_path_once_per_task": Rule("path", "must be unique among its task's files"),
    "task_history_seq_once_per_task": Rule("seq", "must be unique among its task's history"),
    "task_status_transitions_statuses_differ": Rule("new_status", "must differ from old_status"),
    "task_status_transitions_pkey": Rule("new_status", "must follow an old_status only once"),
    "tasks_one_claim_per_request": Rule(
        "claim_request_id", "must not be answered by two live claims"
    ),
    "tasks_key_is_unique": Rule("key", "must be unique in tasks", shows_value=True),
    "tech_conversations_research_is_of_the_session": Rule(
        "research_id", "must name research of the same session"
    ),
    "tech_research_decided_at_exactly_with_selection": Rule(
        "decided_at", "must be set exactly when selected_technology is"
    ),
    "tech_research_known_with_its_session": Rule("id", "must be unique in tech_research"),
    "tech_research_reasoning_only_with_selection": Rule(
        "selection_reasoning", "must be null without a selected_technology"
    ),
    "tech_research_selected_is_an_option": Rule(
        "selected_technology", "must be the name of one of the researched_options"
    ),
    "tech_spec_sessions_completed_at_exactly_when_completed": Rule(
        "completed_at", "must be set exactly when status is completed"
    ),
    "tech_spec_sessions_completed_is_all": Rule(
        "progress_percentage", "must be 100 once status is completed"
    ),
    "tech_spec_sessions_reason_only_when_failed": Rule(
        "failure_reason", "must be null unless status is failed"
    ),
    "technical_specs_content_exactly_if_monolithic": Rule(
        "content", "must be given for a monolithic specification, and for no other"
    ),
    "technical_specs_file_is_imported_once": Rule(
        "file_path", "must be unique in technical_specs: a file is imported once"
    ),
    "technical_specs_key_is_taken_once": Rule("spec_number", "must be unique in technical_specs"),
    "technical_specs_number_is_positive": Rule("spec_number", "must be positive"),
    "technical_specs_number_is_taken_once": Rule(
        "spec_number", "must be unique in technical_specs"
    ),
    "technical_specs_phase_status_only_with_phase": Rule(
        "current_phase_status", "must be null unless phase is given"
    ),
    "technical_specs_structure_exactly_if_hierarchical": Rule(
        "structure", "must be given for a hierarchical specification, and for no other"
    ),
    "technical_specs_type_is_for_tasks": Rule("spec_type", "must be the one of the specification"),
    "concurrency_slots_pkey": Rule("slot", "must be unique among its key's slots"),
    "concurrency_slots_one_per_task": Rule("task_id", "must not hold two slots"),
    "tasks_begin_with_their_slot": Rule(
        "status", "must not be in_progress for a new task with a concurrency_key"
    ),
    "tasks_claim_has_a_lease": Rule("lease_expires_at", "must end after now for a new claim"),
    "tasks_ending_of_a_claim": Rule(
        "status_ending", "must be completed, in_review, failed or pending, of a task with a claim"
    ),
    "tasks_completed_at_from_completion_on": Rule(
        "completed_at", "must be set on completion, and only while completed or archived"
    ),
    "tasks_execution_is_of_its_workflow": Rule(
        "workflow_execution_id", "must name an execution of the task's workflow"
    ),
    "tasks_reason_only_while_blocked": Rule(
        "blocked_reason", "must be null unless status is blocked"
    ),
    "tasks_workflow_exists": Rule("workflow_id", "must name a row of workflows that exists"),
    "templates_variables_required_or_optional": Rule(
        "optional_vars", "must not hold what required_vars holds"
    ),
    "texts_json_is_object_of_texts": Rule(None, "must be a JSON object of texts"),
    "workflow_executions_ended_exactly_unless_running": Rule(
        "ended_at", "must be set exactly unless status is running"
    ),
    "workflow_executions_known_with_their_workflow": Rule(
        "id", "must be unique in workflow_executions"
    ),
    "workflow_executions_state_is_of_a_pull_request": Rule(
        "pull_request_state", "must be null without a pull_request_number"
    ),
    "workflow_status_transitions_statuses_differ": Rule(
        "new_status", "must differ from old_status"
    ),
    "workflow_status_transitions_pkey": Rule("new_status", "must follow an old_status only once"),
    "workflow_step_needs_needs_exists": Rule("needs_id", "must name a step of the same workflow"),
    "workflow_step_needs_pkey": Rule("needs_id", "must not be needed by the step twice"),
    "workflow_step_needs_step_exists": Rule("step_id", "must name a step of the workflow"),
    "workflow_steps_key_once_per_workflow": Rule(
        "key", "must be unique among its workflow's steps"
    ),
    "workflow_steps_known_with_their_workflow": Rule("id", "must be unique in workflow_steps"),
    "workflow_steps_only_retry_tries_again": Rule(
        "max_attempts", "must be 1 unless on_error is retry"
    ),
    "workflows_health_once": Rule("id", "must be unique in workflows"),
    "workflows_healthy_exactly_without_unhealthy": Rule(
        "is_healthy", "must be true exactly while unhealthy_dependencies is 0"
    ),
}

# Citus names the parts of a distributed table, and their constraints, with a number behind;
# the numbers begin at 102008.
_SHARD: Final = re.compile(r"_\d{6,}$")


def without_shard(name: str) -> str:
    """Return *name* without the number that Citus appends to the names of a shard."""
    return _SHARD.sub("", name)
