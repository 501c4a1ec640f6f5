-- Writes a pause, or its end, into the open tasks that it covers.
create function write_paused_tasks()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
    -- It reads all open tasks, by the way that is best for as many as there are now.
    set plan_cache_mode = force_custom_plan
as $$
declare
    scope claim_pauses := case when tg_op = 'DELETE' then old else new end;
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        -- The snapshot is older than the lock, and misses tasks created in between.
        raise exception using
            errcode = 'active_sql_transaction',
            message = 'claiming is paused and resumed at READ COMMITTED only',
            hint = 'Pause in a transaction of its own, of the default isolation level.';
    end if;
    if num_nonnulls(scope.epic_id, scope.feature_id, scope.agent_type) = 0 then
        perform write_pauses(array_agg(task.id))
        from tasks as task
        where task.status in ('pending', 'blocked', 'in_progress', 'in_review');
        return null;
    end if;
    perform write_pauses(array_agg(task.id))
    from task_details as details
    -- Lateral, so that each task is looked up by its key, however few seem to be open.
    cross join lateral (
        select
            other.id,
            other.status
        from tasks as other
        where other.id = details.task_id
        offset 0
    ) as task
    where
        task.status in ('pending', 'blocked', 'in_progress', 'in_review')
        and (scope.agent_type is null or details.agent_type = scope.agent_type)
        and (scope.feature_id is null or details.feature_id = scope.feature_id)
        and (
            scope.epic_id is null
            or details.feature_id in (
                select feature.id from features as feature where feature.epic_id = scope.epic_id
            )
        );
    return null;
end;
$$;

comment on function write_paused_tasks() is
    'Writes a pause, or its end, into the open tasks that it covers.';

create trigger claim_pauses_90_write_tasks
    after insert or delete on claim_pauses
    for each row
    execute function write_paused_tasks();
