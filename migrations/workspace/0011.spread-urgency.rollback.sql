-- 0011 back: effective priorities; each task has its own again.
-- Locks: access exclusive on tasks (a trigger is dropped); row locks on the tasks that change.
set local lock_timeout = '2s';

drop trigger tasks_90_pass_urgency on tasks;

-- Brings a task's columns into agreement with each other before it is written:
--   a key and the time of its creation, if it has none (COPY can't leave a column out)
--   pending with open dependencies is blocked; blocked by nothing is pending
--   a reason only while blocked; lifting the block by hand drops the reason
--   the moments of its status; a reopened task counts its attempts anew
-- so that no statement, by whatever route, can write a wrong pair.
create or replace function settle_task()
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
    new.effective_priority := new.priority;

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

-- New edges: their dependents count them, and the graph stays without a cycle.
--
-- Both ends of every gating edge are written, even where nothing changes in them. The
-- dependent's row is where this meets any other change of its count or rank; the
-- blocker's row is where it meets the blocker's own completion, reopening or lowering. A
-- lock without a write is not enough: released by the commit, it leaves no trace for a
-- REPEATABLE READ transaction with an older snapshot, which would then neither see the
-- edge nor fail. tests/test_races.py has the mutant.
--
-- Rows are locked in the order of ids, as everywhere; and what they hold is read in the
-- statements after that, which at READ COMMITTED have snapshots of their own.
--
-- Tasks are looked up by id one by one (lateral with offset 0): a plan made for one edge, or
-- from statistics older than a load, must do for a million.
create or replace function add_edges()
    returns trigger
    language plpgsql
    set search_path from current
    set enable_seqscan = off
as $$
declare
    waiting uuid[];
    awaited uuid[];
    wrong_waiting uuid[];
    wrong_awaited uuid[];
begin
    select array_agg(added.task_id), array_agg(added.depends_on_id)
    into waiting, awaited
    from added
    where added.dependency_type <> 'suggests';
    if waiting is null then
        return null;
    end if;

    perform 1
    from tasks as task
    where task.id = any(waiting || awaited)
    order by task.id
    for no key update;

    update tasks as task
    set
        (open_dependencies, status_note) = (
            select count(*), min(blocker.key)
            from task_dependencies as edge
            cross join lateral (
                select other.key, other.status, other.completed_at
                from tasks as other
                where other.id = edge.depends_on_id
                offset 0
            ) as blocker
            where
                edge.task_id = task.id
                and not is_satisfied(edge.dependency_type, blocker.status, blocker.completed_at)
        ),
        status_agent = 'taskdb'
    where task.id = any(waiting || awaited);

    select array_agg(edge.task_id), array_agg(edge.blocker_id)
    into wrong_waiting, wrong_awaited
    from unnest(waiting, awaited) as edge (task_id, blocker_id)
    cross join lateral (
        select task.graph_rank from tasks as task where task.id = edge.task_id offset 0
    ) as dependent
    cross join lateral (
        select task.graph_rank from tasks as task where task.id = edge.blocker_id offset 0
    ) as blocker
    where blocker.graph_rank >= dependent.graph_rank;

    if wrong_waiting is not null then
        perform task_graph_repair(wrong_waiting, wrong_awaited);
    end if;
    return null;
end;
$$;

comment on function add_edges() is
    'Counts new dependencies at their tasks, and refuses those that close a cycle.';

-- Removed edges: their dependents count again, from scratch, since the blocker's row may be
-- gone as well. The dependent is written even if nothing changes in it: otherwise the
-- blocker, reopened by a transaction with an older snapshot, would count the edge it
-- still sees.
create or replace function remove_edges()
    returns trigger
    language plpgsql
    set search_path from current
    set enable_seqscan = off
as $$
declare
    waiting uuid[];
    awaited uuid[];
    change record;
begin
    select array_agg(removed.task_id), array_agg(removed.depends_on_id)
    into waiting, awaited
    from removed
    where removed.dependency_type <> 'suggests';
    if waiting is null then
        return null;
    end if;

    perform 1
    from tasks as task
    where task.id = any(waiting)
    order by task.id
    for no key update;

    for change in
        select
            edge.task_id,
            coalesce(
                min(blocker.key) || ': dependency removed', 'a task it waited for was deleted'
            ) as note
        from unnest(waiting, awaited) as edge (task_id, blocker_id)
        left join lateral (
            select task.key from tasks as task where task.id = edge.blocker_id offset 0
        ) as blocker on true
        group by edge.task_id
    loop
        update tasks as task
        set
            open_dependencies = (
                select count(*)
                from task_dependencies as remaining
                cross join lateral (
                    select other.status, other.completed_at
                    from tasks as other
                    where other.id = remaining.depends_on_id
                    offset 0
                ) as blocker
                where
                    remaining.task_id = change.task_id
                    and not is_satisfied(
                        remaining.dependency_type, blocker.status, blocker.completed_at
                    )
            ),
            status_agent = 'taskdb',
            status_note = change.note
        where task.id = change.task_id;
    end loop;
    return null;
end;
$$;

comment on function remove_edges() is 'Counts the remaining dependencies of tasks that lost some.';

comment on column tasks.effective_priority is 'The priority that claims go by.';

update tasks
set effective_priority = priority
where effective_priority <> priority;

drop function pass_urgency();
drop function withdraw_urgency(uuid[]);
drop function waiting_urgencies(uuid[]);
drop function borrowed_urgency(uuid[]);
drop function spread_urgency(uuid[], int[]);
drop function less_urgent_blockers(uuid[], int);
