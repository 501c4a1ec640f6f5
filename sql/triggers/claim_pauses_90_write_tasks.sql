-- Writes is_paused into the open tasks of the scope. Their rows are locked in the order of ids; a
-- claim under way wins, and its task is paused as work that goes on.
create function write_paused_tasks()
    returns trigger
    language plpgsql
    set search_path from current
as $$
declare
    scope claim_pauses := case when tg_op = 'DELETE' then old else new end;
    ids uuid[];
    is_paused_now boolean[];
begin
    select array_agg(locked.id), array_agg(is_claiming_paused(locked.agent_type, locked.feature_id))
    into ids, is_paused_now
    from (
        select
            task.id,
            task.agent_type,
            details.feature_id
        from tasks as task
        inner join task_details as details on details.task_id = task.id
        where
            task.status in ('pending', 'blocked', 'in_progress', 'in_review')
            and (scope.agent_type is null or task.agent_type = scope.agent_type)
            and (scope.feature_id is null or details.feature_id = scope.feature_id)
            and (
                scope.epic_id is null
                or details.feature_id in (
                    select feature.id from features as feature where feature.epic_id = scope.epic_id
                )
            )
        order by task.id
        for no key update of task
    ) as locked;

    update tasks as task
    set is_paused = paused.is_paused
    from unnest(ids, is_paused_now) as paused (id, is_paused)
    where task.id = paused.id and task.is_paused <> paused.is_paused;
    return null;
end;
$$;

comment on function write_paused_tasks() is
    'Writes a pause, or its end, into the open tasks that it covers.';

create trigger claim_pauses_90_write_tasks
    after insert or delete on claim_pauses
    for each row
    execute function write_paused_tasks();
