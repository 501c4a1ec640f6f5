-- Brings a task's columns into agreement with each other before it is written:
--   a key and the time of its creation, if it has none (COPY can't leave a column out)
--   pending with open dependencies is blocked; blocked by nothing is pending
--   a reason only while blocked; lifting the block by hand drops the reason
--   the moments of its status; a reopened task counts its attempts anew
-- so that no statement, by whatever route, can write a wrong pair.
create function settle_task()
    returns trigger
    language plpgsql
    set search_path from current
as $$
declare
    moment timestamptz := clock_timestamp();
begin
    if tg_op = 'INSERT' then
        while new.key is null loop
            new.key := 'T-' || nextval('task_number');
            if exists (select from tasks where tasks.key = new.key) then
                new.key := null;
            end if;
        end loop;
        new.created_at := coalesce(new.created_at, now());
        new.updated_at := coalesce(new.updated_at, new.created_at);
        new.status_seq := 1;
        new.open_dependencies := 0;
        new.status_agent := null;
        new.status_note := null;
        new.status_forced := null;
    elsif
        old.status = 'blocked' and new.status = 'pending'
        and new.blocked_reason is not distinct from old.blocked_reason
    then
        new.blocked_reason := null;
    elsif old.status in ('completed', 'failed', 'cancelled', 'archived')
        and new.status not in ('completed', 'failed', 'cancelled', 'archived') then
        new.failed_attempts := 0;
    end if;

    if new.status = 'pending' and new.open_dependencies > 0 then
        new.status := 'blocked';
    elsif new.status = 'blocked' and new.open_dependencies = 0 and new.blocked_reason is null then
        new.status := 'pending';
    end if;
    if tg_op = 'UPDATE' and new.status <> 'blocked' then
        -- (A new one the CHECKs refuse: nothing that somebody says is dropped.)
        if new.blocked_reason is not distinct from old.blocked_reason then
            new.blocked_reason := null;
        end if;
    end if;
    -- (Less urgent it becomes in pass_urgency, which knows what waits for it.)
    new.effective_priority := case tg_op
        when 'INSERT' then new.priority
        else least(new.effective_priority, new.priority)
    end;

    if tg_op = 'INSERT' then
        if new.status = 'in_progress' and new.started_at is null then
            new.started_at := moment;
        end if;
        if new.status = 'completed' and new.completed_at is null then
            new.completed_at := moment;
        end if;
        new.blocked_at := case when new.status = 'blocked' then coalesce(new.blocked_at, moment) end;
    elsif old.status <> new.status then
        if new.status = 'in_progress' then
            new.started_at := moment;
        end if;
        new.blocked_at := case when new.status = 'blocked' then moment end;
        new.completed_at := case new.status
            when 'completed' then moment
            when 'archived' then old.completed_at
        end;
    end if;
    return new;
end;
$$;

comment on function settle_task() is
    'Makes status, reason, moments and open dependencies of a task agree.';

create trigger tasks_50_settle
    before insert or update on tasks
    for each row
    execute function settle_task();

create trigger tasks_51_touch_updated_at
    before update on tasks
    for each row
    execute function touch_updated_at();
