-- A change of a workflow's status must be a row of workflow_status_transitions.
create trigger workflows_10_refuse_transition
    before update of status on workflows
    for each row
    when (old.status <> new.status)
    execute function refuse_transition('workflow_status_transitions', 'the workflow', 'clone it');
