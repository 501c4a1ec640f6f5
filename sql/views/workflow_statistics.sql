-- Statistics of the executions of each workflow. A view is exact whatever runs at the same time,
-- and a counter in the workflow's row would have its executions wait for each other; nor do
-- percentiles follow from counters. docs/decisions/0012-workflow-statistics.md has the numbers.
create view workflow_statistics as
select
    workflow.id as workflow_id,
    workflow.name,
    count(execution.id) as execution_count,
    count(*) filter (where execution.status = 'running') as running_count,
    count(*) filter (where execution.status = 'completed') as completed_count,
    count(*) filter (where execution.status = 'failed') as failed_count,
    count(*) filter (where execution.status = 'cancelled') as cancelled_count,
    round(
        100.0
        * count(*) filter (where execution.status = 'completed')
        / nullif(count(*) filter (where execution.status in ('completed', 'failed')), 0),
        2
    ) as success_pct,
    avg(execution.ended_at - execution.started_at) filter (
        where execution.status = 'completed'
    ) as average_duration,
    percentile_cont(0.5) within group (order by execution.ended_at - execution.started_at)
        filter (where execution.status = 'completed') as median_duration,
    percentile_cont(0.95) within group (order by execution.ended_at - execution.started_at)
        filter (where execution.status = 'completed') as p95_duration,
    max(execution.started_at) as last_started_at
from workflows as workflow
left join workflow_executions as execution on execution.workflow_id = workflow.id
group by workflow.id, workflow.name;

comment on view workflow_statistics is 'Exact statistics of the executions of each workflow.';
comment on column workflow_statistics.success_pct is
    '100 x completed / (completed + failed); null before the first such end.';
comment on column workflow_statistics.average_duration is
    'The mean duration of completed executions.';
