-- A key for a task without one, which no task has.
create function next_task_key()
    returns text
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    found_key text;
begin
    loop
        found_key := 'T-' || nextval('task_number');
        exit when not exists (select from tasks as task where task.key = found_key);
    end loop;
    return found_key;
end;
$$;

comment on function next_task_key() is 'A free key: T- and a number.';

-- Fills in a new task: a key and times if it has none (COPY cannot leave a column out), the
-- machinery's columns, and those that follow from its status. A task created in progress was
-- started by hand, or by the claim that comes with it: an importer's, whose lease may be over.
create function fill_in_task()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
as $$
declare
    moment timestamptz := clock_timestamp();
    -- The domain refuses moments that no program can hold. The columns themselves are written by
    -- every transition, so they do without it.
    first_moment constant shared.moment := least(
        new.created_at, new.updated_at, new.started_at, new.blocked_at, new.completed_at
    );
    last_moment constant shared.moment := greatest(
        new.created_at, new.updated_at, new.started_at, new.blocked_at, new.completed_at
    );
begin
    if new.key is null then
        new.key := next_task_key();
    end if;
    new.created_at := coalesce(new.created_at, now());
    new.updated_at := coalesce(new.updated_at, new.created_at);

    if is_precomputed(new.details_follow, new.open_dependencies, new.has_dependents) then
        new.effective_priority := least(new.effective_priority, new.priority);
        if new.status = 'pending' and new.open_dependencies > 0 then
            new.status := 'blocked';
        end if;
    else
        new.effective_priority := new.priority;
        new.open_dependencies := 0;
        new.has_dependents := false;
    end if;
    new.is_passed_on := new.has_dependents;
    new.unhealthy_dependencies := 0;
    new.has_files := false;
    new.version := 1;
    new.status_seq := 1;
    new.claim_request_id := null;
    if new.status = 'in_progress' and new.claim_agent is not null then
        new.claim_token := 1;
        new.lease_expires_at := coalesce(new.lease_expires_at, now());
    else
        new.claim_token := 0;
        new.claim_agent := null;
        new.lease_expires_at := null;
    end if;
    new.progress_pct := null;
    new.progress_note := null;
    new.is_due := new.scheduled_at is null or new.scheduled_at <= moment;
    new.workflow_is_healthy := true;
    if new.workflow_id is not null then
        new.workflow_is_healthy := health_of_workflow(new.workflow_id);
    end if;

    if
        new.status = 'blocked' and new.blocked_reason is null and new.open_dependencies = 0
    then
        new.status := 'pending';
    elsif new.status <> 'blocked' and new.blocked_reason is not null then
        perform raise_broken_rule(
            'tasks_reason_only_while_blocked',
            format('task %s is %s: only a blocked task has a reason', new.key, new.status)
        );
    end if;
    new.reserved_for := coalesce(new.assigned_agent, '');
    new.for_type := coalesce(new.agent_type, '');
    new.place := coalesce(new.execution_order, 2147483647);
    new.is_ready :=
        new.status = 'pending' and new.is_due and new.workflow_is_healthy and not new.is_paused;
    -- The first question of note_ready, because a load asks it for each of its tasks.
    if
        new.is_ready
        and (new.for_type = any(nullif(current_setting('taskdb.ready_types', true), '')::text[]))
        is not true
    then
        perform note_ready(new.for_type);
    end if;
    new.waits_for_slot := false;
    if new.status = 'in_progress' then
        if new.concurrency_key is not null then
            perform raise_broken_rule(
                'tasks_begin_with_their_slot',
                format('task %s has a concurrency key: it begins after it is made', new.key)
            );
        end if;
        new.started_at := coalesce(new.started_at, moment);
    end if;
    new.blocked_at := case when new.status = 'blocked' then coalesce(new.blocked_at, moment) end;
    if new.status = 'completed' then
        new.completed_at := coalesce(new.completed_at, moment);
    elsif new.status <> 'archived' and new.completed_at is not null then
        perform raise_broken_rule(
            'tasks_completed_at_from_completion_on',
            format('task %s is %s: it has no completed_at yet', new.key, new.status)
        );
    end if;

    new.status_agent := null;
    new.status_note := null;
    new.status_forced := null;
    new.status_outcome := null;
    new.status_ending := null;
    new.status_source := null;
    new.status_at := null;
    return new;
end;
$$;

comment on function fill_in_task() is 'Fills in the key, times and derived columns of a new task.';

create trigger tasks_50_fill_in
    before insert on tasks
    for each row
    execute function fill_in_task();
