-- Normalizes and counts an edit of a task's text or plan, so that an editor can detect a concurrent
-- one (queries/tasks.sql: update, :if_version).
create function count_edit_of_task()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
as $$
begin
    -- The schedule of a retry comes with a transition, which is no edit; but an edit can bring a
    -- transition about: max_attempts, lowered to the attempts that have failed.
    if
        new.status_seq = old.status_seq
        or (
            new.title, new.priority, new.execution_order, new.agent_type, new.assigned_agent,
            new.workflow_id, new.workflow_execution_id, new.max_attempts, new.concurrency_key
        ) is distinct from (
            old.title, old.priority, old.execution_order, old.agent_type, old.assigned_agent,
            old.workflow_id, old.workflow_execution_id, old.max_attempts, old.concurrency_key
        )
    then
        new.version := old.version + 1;
    end if;
    new.reserved_for := coalesce(new.assigned_agent, '');
    new.for_type := coalesce(new.agent_type, '');
    new.place := coalesce(new.execution_order, 2147483647);
    if new.agent_type is distinct from old.agent_type and any_pauses() then
        new.is_paused := is_task_paused(new.id, new.agent_type);
        new.is_ready :=
            new.status = 'pending'
            and new.is_due
            and new.unhealthy_dependencies = 0
            and new.workflow_is_healthy
            and not new.is_paused;
        if new.waits_for_slot then
            new.waits_for_slot := new.is_ready;
            new.is_ready := false;
        end if;
    end if;
    if new.concurrency_key is not null or old.concurrency_key is not null then
        perform look_at_slots_again(old.concurrency_key);
        if new.concurrency_key is distinct from old.concurrency_key then
            new.is_ready := new.is_ready or new.waits_for_slot;
            new.waits_for_slot := false;
            if old.status = 'in_progress' and new.status = 'in_progress' then
                perform give_slot_back(new.id);
                if
                    new.concurrency_key is not null
                    and not take_slot(new.id, new.concurrency_key)
                then
                    perform raise_full_key(new.key, new.concurrency_key);
                end if;
            end if;
        end if;
    end if;
    if
        new.is_ready
        and (new.reserved_for, new.for_type) is distinct from (old.reserved_for, old.for_type)
    then
        perform note_ready(new.for_type);
    end if;
    return new;
end;
$$;

comment on function count_edit_of_task() is
    'Counts an edit of a task, and derives the lane and place of its claim.';

create trigger tasks_51_count_edit
    before update of
    title, priority, execution_order, agent_type, assigned_agent, workflow_id,
    workflow_execution_id, scheduled_at, max_attempts, reserved_for, for_type, place,
    concurrency_key
    on tasks
    for each row
    execute function count_edit_of_task();
