-- Writes into open tasks whether claiming is paused for them. Their rows are locked in the order of
-- ids; a concurrent claim wins, and its task is paused as work in progress.
create function write_pauses(of_tasks uuid[])
    returns void
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    perform
    from tasks as task
    where task.id = any(of_tasks)
    order by task.id
    for no key update;

    update tasks as task
    set is_paused = not task.is_paused
    from task_details as details
    where
        task.id = any(of_tasks)
        and details.task_id = task.id
        -- Not as a list of those wanted, for which there is an index.
        and task.status not in ('completed', 'failed', 'cancelled', 'archived')
        and task.is_paused <> is_claiming_paused(task.agent_type, details.feature_id);
end;
$$;

comment on function write_pauses(uuid[]) is
    'Writes into open tasks whether claiming is paused for them.';
