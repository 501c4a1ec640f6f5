-- Pausing and resuming meet the creation of tasks at the table itself: who creates a task has read
-- claim_pauses, and this lock waits for them and keeps later ones waiting.
create function lock_claim_pauses()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    lock table claim_pauses in access exclusive mode;
    return null;
end;
$$;

comment on function lock_claim_pauses() is 'Keeps tasks from being created while pauses change.';

create trigger claim_pauses_10_lock
    before insert or update or delete on claim_pauses
    for each statement
    execute function lock_claim_pauses();

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

create function refuse_changed_pause()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if
        (old.epic_id, old.feature_id, old.agent_type)
        is distinct from (new.epic_id, new.feature_id, new.agent_type)
    then
        raise exception using
            errcode = 'TD003',
            message = 'the scope of a pause cannot be changed',
            detail = 'TD003 update',
            hint = 'Delete it and insert the other one.';
    end if;
    return new;
end;
$$;

comment on function refuse_changed_pause() is 'Refuses to change the scope of a pause.';

create trigger claim_pauses_20_refuse_change
    before update on claim_pauses
    for each row
    execute function refuse_changed_pause();

-- A task that moves to another feature is paused as that is.
create function follow_feature()
    returns trigger
    language plpgsql
    set search_path from current
as $$
declare
    is_paused_now boolean;
begin
    if old.feature_id is distinct from new.feature_id and exists (select from claim_pauses) then
        is_paused_now := is_claiming_paused(
            (select task.agent_type from tasks as task where task.id = new.task_id),
            new.feature_id
        );
        update tasks as task
        set is_paused = is_paused_now
        where task.id = new.task_id;
    end if;
    return null;
end;
$$;

comment on function follow_feature() is 'Pauses a task as its new feature is.';

create trigger task_details_90_follow_feature
    after update of feature_id on task_details
    for each row
    execute function follow_feature();
