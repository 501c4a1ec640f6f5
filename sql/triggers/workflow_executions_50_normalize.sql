-- The end of an execution, by whatever route: its moment, its tasks counted unless the runner has
-- counted them, and its open steps cancelled. Recording a step locks this row.
create function normalize_execution()
    returns trigger
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    if old.status = 'running' and new.status <> 'running' then
        new.ended_at := coalesce(new.ended_at, now());
        select
            coalesce(new.total_tasks, count(*)),
            coalesce(
                new.completed_tasks,
                count(*) filter (
                    where task.status in ('completed', 'archived')
                        and task.completed_at is not null
                )
            ),
            coalesce(new.failed_tasks, count(*) filter (where task.status = 'failed'))
        into new.total_tasks, new.completed_tasks, new.failed_tasks
        from tasks as task
        where task.workflow_execution_id = new.id;
    end if;
    return new;
end;
$$;

comment on function normalize_execution() is
    'Fills in the columns that follow from the end of an execution.';

create trigger workflow_executions_50_normalize
    before update of status on workflow_executions
    for each row
    execute function normalize_execution();
