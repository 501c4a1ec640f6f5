-- Workflows with the columns that callers need, without those that triggers derive.
create view workflow_summaries as
select
    workflow.id,
    workflow.name,
    workflow.description,
    workflow.status,
    workflow.github_repo_url,
    workflow.linear_issue_id,
    workflow.trigger_type,
    workflow.configuration,
    workflow.metadata,
    workflow.created_by,
    workflow.created_at,
    workflow.updated_at,
    workflow.unhealthy_dependencies
from workflows as workflow;

comment on view workflow_summaries is 'Workflows without the columns that triggers keep.';
