-- 0011: effective priorities: a task is as urgent as the most urgent task that waits for it.
-- Locks: share row exclusive on tasks, for as long as the tasks that something more urgent waits
--   for take to be written (some ten seconds for 100,000 of them)
-- Check: select count(*) from tasks where effective_priority > priority;  -- expect 0
set local lock_timeout = '2s';

-- Of *roots* and what they wait for, directly or not, the tasks that are less urgent than
-- *urgency*. A task that is as urgent already has passed that on, and one that was given up
-- passes nothing: the walk ends there. Each is visited once (union), and found by index, for
-- the reasons that task_graph_region has.
create function less_urgent_blockers(roots uuid[], urgency int)
    returns table (id uuid)
    language sql
    stable
    rows 100
    set search_path from current
    set enable_hashjoin = off
    set enable_mergejoin = off
    set enable_material = off
    set enable_seqscan = off
    set jit = off
as $$
    with recursive late (id, is_wanted) as (
        select root.id, is_wanted(root.status, root.completed_at)
        from tasks as root
        where root.id = any(roots) and root.effective_priority > urgency
        union
        select blocker.id, blocker.is_wanted
        from late
        cross join lateral (
            select other.id, is_wanted(other.status, other.completed_at) as is_wanted
            from task_dependencies as edge
            inner join tasks as other on other.id = edge.depends_on_id
            where
                edge.task_id = late.id
                and edge.dependency_type <> 'suggests'
                and other.effective_priority > urgency
            offset 0
        ) as blocker
        where late.is_wanted
    )

    select late.id
    from late;
$$;

comment on function less_urgent_blockers(uuid[], int) is
    'Those of these tasks, and of what they wait for, that are less urgent than that.';

-- Makes task ids[i], and all that it waits for, at least as urgent as urgencies[i].
--
-- The most urgent go first: what they have reached is urgent enough for the rest, so each
-- task is written once and each edge followed once, however many are given.
--
-- What is reached is locked in the order of ids, and looked at again, until it stands still:
-- whoever adds an edge out of a task has written that task. (docs/decisions/0013.)
create function spread_urgency(ids uuid[], urgencies int[])
    returns void
    language plpgsql
    set search_path from current
    set enable_seqscan = off
as $$
declare
    given record;
    late uuid[];
    locked uuid[];
begin
    for given in
        select late.urgency, array_agg(late.id) as ids
        from unnest(ids, urgencies) as late (id, urgency)
        group by late.urgency
        order by late.urgency
    loop
        locked := null;
        loop
            select array_agg(task.id order by task.id)
            into late
            from less_urgent_blockers(given.ids, given.urgency) as task;
            exit when late is not distinct from locked;
            perform 1
            from tasks as task
            where task.id = any(late)
            order by task.id
            for no key update;
            locked := late;
        end loop;
        update tasks as task
        set effective_priority = given.urgency
        where task.id = any(late);
    end loop;
end;
$$;

comment on function spread_urgency(uuid[], int[]) is
    'Makes these tasks, and all that they wait for, at least so urgent.';

-- Of *roots* and what they wait for, directly or not, the tasks that are more urgent than
-- their own priority, and may owe that to a root: along the way they become no more urgent.
-- (Less urgent only while a statement's changes are still being passed on: then a task may
-- be held by one that is more urgent than it, and must be found when that one ceases to be.)
-- Each is visited once (union), and found by index, for the reasons that task_graph_region has.
create function borrowed_urgency(roots uuid[])
    returns table (id uuid)
    language sql
    stable
    rows 100
    set search_path from current
    set enable_hashjoin = off
    set enable_mergejoin = off
    set enable_material = off
    set enable_seqscan = off
    set jit = off
as $$
    with recursive borrower (id, urgency, is_wanted) as (
        select root.id, root.effective_priority::int, is_wanted(root.status, root.completed_at)
        from tasks as root
        where root.id = any(roots) and root.effective_priority < root.priority
        union
        select blocker.id, blocker.urgency, blocker.is_wanted
        from borrower
        cross join lateral (
            select
                other.id,
                other.effective_priority::int as urgency,
                is_wanted(other.status, other.completed_at) as is_wanted
            from task_dependencies as edge
            inner join tasks as other on other.id = edge.depends_on_id
            where
                edge.task_id = borrower.id
                and edge.dependency_type <> 'suggests'
                and other.effective_priority >= borrower.urgency
                and other.effective_priority < other.priority
            offset 0
        ) as blocker
        where borrower.is_wanted
    )

    select borrower.id
    from borrower;
$$;

comment on function borrowed_urgency(uuid[]) is
    'Those of these tasks, and of what they wait for, whose urgency may come from these.';

-- Who waits for the listed tasks, and how urgent they are; not those that were given up, which
-- pass nothing on. awaited is the place of the task that is waited for in the list.
create function waiting_urgencies(listed uuid[])
    returns table (awaited int, waiting_id uuid, urgency int)
    language sql
    stable
    rows 100
    set search_path from current
    set enable_hashjoin = off
    set enable_mergejoin = off
    set enable_material = off
    set enable_seqscan = off
    set jit = off
as $$
    select task.position::int, dependent.id, dependent.effective_priority::int
    from unnest(listed) with ordinality as task (id, position)
    cross join lateral (
        select other.id, other.effective_priority
        from task_dependencies as edge
        inner join tasks as other on other.id = edge.task_id
        where
            edge.depends_on_id = task.id
            and edge.dependency_type <> 'suggests'
            and is_wanted(other.status, other.completed_at)
        offset 0
    ) as dependent;
$$;

comment on function waiting_urgencies(uuid[]) is
    'Who waits for these tasks and was not given up, and how urgent that is.';

-- Takes back what tasks owe to nobody any more: of *ids* and what they wait for, those that
-- are more urgent than their own priority and than all that wait for them.
--
-- How urgent they may stay, those say that wait for them: these are locked with them, in the
-- order of ids, and looked at again until all stands still. And all that was looked at is
-- written, even where nothing changes: there this meets a transaction with an older snapshot
-- that changes how urgent one of them is, and sees what it waits for as it no longer is.
-- (docs/decisions/0013; tests/test_races.py has the mutant.)
--
-- The most urgent are settled first, and what waits for a task before the task, as far as it
-- counts (Dijkstra, with a bucket for each of the ten priorities): linear in the tasks and
-- edges concerned.
create function withdraw_urgency(ids uuid[])
    returns void
    language plpgsql
    set search_path from current
    set enable_seqscan = off
as $$
declare
    unsettled uuid[];
    around uuid[];
    locked uuid[];
    old_urgencies int[];
    -- How urgent each may be, by all that is known so far.
    urgencies int[];
    -- The edges into these tasks: waiting[e] waits for awaited[e]; null: it is none of them.
    awaited int[];
    waiting_ids uuid[];
    demands int[];
    waiting int[];
    -- Those out of task n are first[n], next[first[n]] and so on.
    first int[];
    next int[];
    is_settled boolean[];
    stack int[];
    height int;
    n int;
    m int;
    e int;
begin
    loop
        select array_agg(task.id) into unsettled from borrowed_urgency(ids) as task;
        if unsettled is null then
            return;
        end if;
        select array_agg(distinct place.id order by place.id)
        into around
        from (
            select task.id
            from unnest(unsettled) as task (id)
            union all
            select edge.task_id
            from unnest(unsettled) as task (id)
            cross join lateral (
                select dependency.task_id
                from task_dependencies as dependency
                where
                    dependency.depends_on_id = task.id
                    and dependency.dependency_type <> 'suggests'
                offset 0
            ) as edge
        ) as place;
        exit when around = locked;
        perform 1
        from tasks as task
        where task.id = any(around)
        order by task.id
        for no key update;
        locked := around;
    end loop;

    select
        array_agg(task.effective_priority::int order by given.position),
        array_agg(task.priority::int order by given.position)
    into old_urgencies, urgencies
    from unnest(unsettled) with ordinality as given (id, position)
    cross join lateral (
        select other.priority, other.effective_priority
        from tasks as other
        where other.id = given.id
        offset 0
    ) as task;
    select array_agg(edge.awaited), array_agg(edge.waiting_id), array_agg(edge.urgency)
    into awaited, waiting_ids, demands
    from waiting_urgencies(unsettled) as edge;
    waiting := positions_of(waiting_ids, unsettled);

    first := array_fill(null::int, array[cardinality(unsettled)]);
    next := array_fill(null::int, array[coalesce(cardinality(awaited), 0)]);
    for i in 1..coalesce(cardinality(awaited), 0) loop
        n := awaited[i];
        m := waiting[i];
        if m is null then
            urgencies[n] := greatest(old_urgencies[n], least(urgencies[n], demands[i]));
        else
            next[i] := first[m];
            first[m] := i;
        end if;
    end loop;

    is_settled := array_fill(false, array[cardinality(unsettled)]);
    for level in 1..10 loop
        stack := null;
        height := 0;
        for i in 1..cardinality(unsettled) loop
            if urgencies[i] = level and not is_settled[i] then
                height := height + 1;
                stack[height] := i;
            end if;
        end loop;
        while height > 0 loop
            n := stack[height];
            height := height - 1;
            continue when is_settled[n];
            is_settled[n] := true;
            e := first[n];
            while e is not null loop
                m := awaited[e];
                -- Never more urgent than now.
                if greatest(old_urgencies[m], level) < urgencies[m] then
                    urgencies[m] := greatest(old_urgencies[m], level);
                    if urgencies[m] = level then
                        height := height + 1;
                        stack[height] := m;
                    end if;
                end if;
                e := next[e];
            end loop;
        end loop;
    end loop;

    for level in 1..10 loop
        update tasks as task
        set effective_priority = level
        where
            task.id = any(
                array(
                    select settled.id
                    from unnest(unsettled, urgencies) as settled (id, urgency)
                    where settled.urgency = level
                )
            );
    end loop;
    update tasks as task
    set effective_priority = task.effective_priority
    where task.id = any(array(select unnest(around) except all select unnest(unsettled)));
end;
$$;

comment on function withdraw_urgency(uuid[]) is
    'Takes back the urgency of tasks, and of what they wait for, that nothing gives them now.';

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

-- New edges: their dependents count them, the graph stays without a cycle, and what is waited
-- for becomes as urgent as those that wait.
--
-- Both ends of every gating edge are written, even where nothing changes in them. The
-- dependent's row is where this meets any other change of its count, rank or urgency; the
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
    late uuid[];
    urgencies int[];
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

    select array_agg(edge.blocker_id), array_agg(dependent.effective_priority)
    into late, urgencies
    from unnest(waiting, awaited) as edge (task_id, blocker_id)
    cross join lateral (
        select task.effective_priority
        from tasks as task
        where task.id = edge.task_id and is_wanted(task.status, task.completed_at)
        offset 0
    ) as dependent
    cross join lateral (
        select task.effective_priority from tasks as task where task.id = edge.blocker_id offset 0
    ) as blocker
    where blocker.effective_priority > dependent.effective_priority;

    if late is not null then
        perform spread_urgency(late, urgencies);
    end if;
    return null;
end;
$$;

comment on function add_edges() is
    'Counts new dependencies at their tasks, passes their urgency on, and refuses those that '
    'close a cycle.';

-- Removed edges: their dependents count again, from scratch, since the blocker's row may be
-- gone as well. The dependent is written even if nothing changes in it: otherwise the
-- blocker, reopened by a transaction with an older snapshot, would count the edge it
-- still sees. And the tasks waited for owe them no urgency any more.
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

    perform withdraw_urgency(awaited);
    return null;
end;
$$;

comment on function remove_edges() is 'Counts the remaining dependencies of tasks that lost some.';

-- A task whose priority changes, which is given up, or taken up again: what it waits for
-- becomes as urgent, or owes it nothing any more. Claims, completions and failures end in the
-- first line.
create function pass_urgency()
    returns trigger
    language plpgsql
    set search_path from current
    set enable_seqscan = off
as $$
declare
    was_wanted boolean := is_wanted(old.status, old.completed_at);
    awaited uuid[];
    urgency int;
    is_wanted_now boolean;
begin
    if
        old.priority = new.priority
        and was_wanted = is_wanted(new.status, new.completed_at)
    then
        return null;
    end if;

    if new.priority > old.priority then
        perform withdraw_urgency(array[new.id]);
    end if;

    -- (Read anew: another row of the same statement may have changed it since.)
    select
        array_agg(edge.depends_on_id),
        min(task.effective_priority),
        bool_or(is_wanted(task.status, task.completed_at))
    into awaited, urgency, is_wanted_now
    from task_dependencies as edge
    inner join tasks as task on task.id = edge.task_id
    where edge.task_id = new.id and edge.dependency_type <> 'suggests';
    if awaited is null then
        return null;
    end if;

    if is_wanted_now then
        perform spread_urgency(awaited, array_fill(urgency, array[cardinality(awaited)]));
    elsif was_wanted then
        perform withdraw_urgency(awaited);
    end if;
    return null;
end;
$$;

comment on function pass_urgency() is
    'Passes a change of a task''s urgency on to what it waits for.';

create trigger tasks_90_pass_urgency
    after update of priority, status, completed_at on tasks
    for each row
    execute function pass_urgency();

comment on column tasks.effective_priority is
    'The priority that claims go by: the most urgent of its own and the effective ones of all '
    'tasks that wait for it by requires or blocks, save those that were given up: cancelled, or '
    'archived without completion. Kept by triggers.';

-- So far each task had its own priority.
select spread_urgency(array_agg(late.id), array_agg(late.urgency))
from (
    select
        edge.depends_on_id as id,
        dependent.effective_priority::int as urgency
    from task_dependencies as edge
    inner join tasks as dependent on dependent.id = edge.task_id
    inner join tasks as blocker on blocker.id = edge.depends_on_id
    where
        edge.dependency_type <> 'suggests'
        and is_wanted(dependent.status, dependent.completed_at)
        and blocker.effective_priority > dependent.effective_priority
) as late;
