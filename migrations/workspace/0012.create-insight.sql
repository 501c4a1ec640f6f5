-- 0012: insight: schedules, what a task unblocks, flow; among which tasks a search ranks.
-- Locks: none beyond new objects.
-- Check: select count(*) from plan_schedule(null);  -- expect 0
set local lock_timeout = '2s';

-- How long tasks of each agent type take: what plan_schedule assumes of those that nobody
-- estimated. Tasks without a type are a type of their own.
create view task_hours_by_type as
select
    task.agent_type,
    count(*) as finished_count,
    round(
        cast(percentile_cont(0.5) within group (order by spent.hours) as numeric), 2
    ) as median_hours
from tasks as task
cross join lateral (
    select
        coalesce(
            cast(task.actual_hours as double precision),
            cast(
                extract(epoch from task.completed_at - task.started_at) / 3600
                as double precision
            )
        ) as hours
) as spent
where
    task.status in ('completed', 'archived')
    and task.completed_at is not null
    and spent.hours >= 0
group by task.agent_type;

comment on view task_hours_by_type is
    'How long completed tasks of each agent type took: actual_hours, else from started_at to '
    'completed_at. Tasks that name neither, or a completion before the start, do not count.';
comment on column task_hours_by_type.agent_type is 'Null: the tasks without one.';
comment on column task_hours_by_type.median_hours is 'The middle one of their durations.';

-- The open ones of these tasks, and the open tasks that they wait for, directly or not.
-- Satisfied edges and suggestions hold nothing back, so they are not followed.
--
-- Each task is visited once (union), and its blockers are found by index, as in
-- task_graph_region: a join of whole tables per level costs minutes on a deep chain.
create function open_task_region(roots uuid[])
    returns setof uuid
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
    with recursive region (id) as (
        select open.id
        from unnest(roots) as root (id)
        cross join lateral (
            select task.id
            from tasks as task
            where
                task.id = root.id
                and task.status in ('pending', 'blocked', 'in_progress', 'in_review')
            offset 0
        ) as open
        union
        select blocker.id
        from region
        cross join lateral (
            select other.id
            from task_dependencies as edge
            inner join tasks as other on other.id = edge.depends_on_id
            where
                edge.task_id = region.id
                and edge.dependency_type <> 'suggests'
                and other.status in ('pending', 'blocked', 'in_progress', 'in_review')
            offset 0
        ) as blocker
    )

    select region.id
    from region;
$$;

comment on function open_task_region(uuid[]) is
    'The open ones of these tasks, and the open tasks that they wait for, directly or not.';

-- The unsatisfied edges out of the listed tasks, in the order of the list. A dead gate does
-- not open by itself: its blocker failed, or was given up under requires.
create function open_task_gates(listed uuid[])
    returns table (waiting int, blocker_id uuid, dead boolean)
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
    select task.position::int, gate.blocker_id, gate.dead
    from unnest(listed) with ordinality as task (id, position)
    cross join lateral (
        select
            other.id as blocker_id,
            other.status not in ('pending', 'blocked', 'in_progress', 'in_review') as dead
        from task_dependencies as edge
        inner join tasks as other on other.id = edge.depends_on_id
        where
            edge.task_id = task.id
            and not is_satisfied(edge.dependency_type, other.status, other.completed_at)
        offset 0
    ) as gate
    order by task.position;
$$;

comment on function open_task_gates(uuid[]) is
    'The unsatisfied dependencies of these tasks, by their place in the list.';

-- When each open task can begin and end at the earliest, and how much later it may without
-- making the whole later: the critical path method (J. E. Kelley and M. R. Walker,
-- "Critical-path planning and scheduling", 1959) over the dependency graph.
--
-- What it takes as given:
--   scope     the tasks whose end is asked for; the open ones among them take part, and so
--             do the open tasks outside that they wait for, since they come first all the same.
--             Nothing that is finished takes part, and no satisfied edge.
--   hours     a task's estimated_hours, else the median of its agent type
--             (task_hours_by_type), else one hour. What is in progress counts whole.
--   agents    as many as there is work for. Hours are of work: neither nights nor
--             scheduled_at count, nor who is free.
--
-- A task is stuck if it waits, directly or not, for one that failed or was given up: its
-- hours hold only once that is mended.
--
-- graph_rank is a topological order of unsatisfied edges: one pass forwards and one
-- backwards, over arrays in that order, are linear in tasks and edges, whatever the depth.
create function plan_schedule(scope uuid[])
    returns table (
        task_id uuid,
        in_scope boolean,
        stuck boolean,
        hours numeric,
        hours_from text,
        wave int,
        earliest_start_hours numeric,
        earliest_finish_hours numeric,
        latest_start_hours numeric,
        latest_finish_hours numeric,
        slack_hours numeric,
        path_step int
    )
    language plpgsql
    stable
    rows 1000
    set search_path from current
as $$
declare
    medians jsonb;
    members uuid[];
    ids uuid[];
    size int;
    -- Durations and moments are hundredths of an hour from now, so that sums are exact.
    durations bigint[];
    origins text[];
    scoped boolean[];
    stuck_ones boolean[];
    finishes bigint[];
    late_finishes bigint[];
    waves int[];
    steps int[];
    -- The blocker that a task waits for longest.
    longest int[];
    -- The edges as compressed rows: task n's blockers are those from first[n] up to, but not
    -- with, first[n + 1]; null where the gate is dead.
    waiters int[];
    blockers int[];
    blocker_ids uuid[];
    first int[];
    positions int[];
    n int;
    m int;
    last int;
    begins bigint;
    level int;
    ending int;
    length int;
begin
    select jsonb_object_agg(coalesce(typical.agent_type, ''), typical.median_hours)
    into medians
    from task_hours_by_type as typical;

    -- Most often nothing outside is waited for: the way out is walked only where it is needed.
    members := scope;
    loop
        select
            array_agg(task.id order by task.graph_rank, task.id),
            array_agg(
                (coalesce(task.estimated_hours, task.median_hours, 1) * 100)::bigint
                order by task.graph_rank, task.id
            ),
            array_agg(
                case
                    when task.estimated_hours is not null then 'estimate'
                    when task.median_hours is not null then 'median'
                    else 'default'
                end
                order by task.graph_rank, task.id
            )
        into ids, durations, origins
        from unnest(members) as member (id)
        cross join lateral (
            select
                other.id,
                other.graph_rank,
                other.estimated_hours,
                (medians ->> coalesce(other.agent_type, ''))::numeric as median_hours
            from tasks as other
            where
                other.id = member.id
                and other.status in ('pending', 'blocked', 'in_progress', 'in_review')
            offset 0
        ) as task;
        if ids is null then
            return;
        end if;

        select
            array_agg(gate.waiting), array_agg(case when not gate.dead then gate.blocker_id end)
        into waiters, blocker_ids
        from open_task_gates(ids) as gate;
        blockers := positions_of(blocker_ids, ids);
        exit when not exists (
            select
            from unnest(blocker_ids, blockers) as gate (id, position)
            where gate.id is not null and gate.position is null
        );
        select array_agg(region.id) into members from open_task_region(ids) as region (id);
    end loop;
    size := cardinality(ids);

    first := array_fill(1, array[size + 1]);
    for i in 1..coalesce(cardinality(waiters), 0) loop
        first[waiters[i] + 1] := i + 1;
    end loop;
    for i in 1..size loop
        first[i + 1] := greatest(first[i + 1], first[i]);
    end loop;
    scoped := array_fill(false, array[size]);
    positions := positions_of(scope, ids);
    foreach n in array positions loop
        if n is not null then
            scoped[n] := true;
        end if;
    end loop;

    stuck_ones := array_fill(false, array[size]);
    finishes := array_fill(0::bigint, array[size]);
    waves := array_fill(1, array[size]);
    longest := array_fill(null::int, array[size]);
    for n in 1..size loop
        begins := 0;
        level := 1;
        last := null;
        for i in first[n]..first[n + 1] - 1 loop
            m := blockers[i];
            if m is null then
                stuck_ones[n] := true;
                continue;
            end if;
            if stuck_ones[m] then
                stuck_ones[n] := true;
            end if;
            if waves[m] >= level then
                level := waves[m] + 1;
            end if;
            if
                last is null
                or finishes[m] > begins
                or (finishes[m] = begins and (waves[m], last) > (waves[last], m))
            then
                begins := finishes[m];
                last := m;
            end if;
        end loop;
        waves[n] := level;
        longest[n] := last;
        finishes[n] := begins + durations[n];
        if
            scoped[n]
            and (
                ending is null
                or (finishes[n], waves[n]) > (finishes[ending], waves[ending])
            )
        then
            ending := n;
        end if;
    end loop;

    late_finishes := array_fill(finishes[ending], array[size]);
    for n in reverse size..1 loop
        begins := late_finishes[n] - durations[n];
        for i in first[n]..first[n + 1] - 1 loop
            m := blockers[i];
            if late_finishes[m] > begins then
                late_finishes[m] := begins;
            end if;
        end loop;
    end loop;

    -- One longest path, from what ends last back to what waits for nothing. What takes no time
    -- is on it too: of equally long ways the one of more waves.
    steps := array_fill(null::int, array[size]);
    length := 0;
    n := ending;
    while n is not null loop
        length := length + 1;
        n := longest[n];
    end loop;
    n := ending;
    while n is not null loop
        steps[n] := length;
        length := length - 1;
        n := longest[n];
    end loop;

    return query
    select
        planned.id,
        planned.scoped,
        planned.stuck,
        planned.duration * 0.01,
        planned.origin,
        planned.wave,
        (planned.finish - planned.duration) * 0.01,
        planned.finish * 0.01,
        (planned.late_finish - planned.duration) * 0.01,
        planned.late_finish * 0.01,
        (planned.late_finish - planned.finish) * 0.01,
        planned.step
    from unnest(
        ids, scoped, stuck_ones, durations, origins, waves, finishes, late_finishes, steps
    ) as planned (id, scoped, stuck, duration, origin, wave, finish, late_finish, step);
end;
$$;

comment on function plan_schedule(uuid[]) is
    'Critical path method over the open ones of these tasks and the open tasks that they wait '
    'for: earliest and latest start and finish, in hours of work from now with enough agents; '
    'slack is what a task may slip without making the whole later; wave 1 waits for nothing, '
    'wave n for something of wave n - 1; path_step numbers the tasks of one longest path. '
    'hours are estimated_hours, else the median of the agent type, else one (hours_from: '
    'estimate, median, default). stuck: it waits, directly or not, for a task that failed or '
    'was given up.';

-- How many open tasks wait for this one, directly or not. Each is visited once; nothing waits
-- over an edge that is satisfied, so nothing waits for what is completed.
create function task_unblocks(blocker uuid)
    returns bigint
    language sql
    stable
    set search_path from current
    set enable_hashjoin = off
    set enable_mergejoin = off
    set enable_material = off
    set enable_seqscan = off
    set jit = off
as $$
    with recursive waiting (id, status, completed_at) as (
        select task.id, task.status, task.completed_at
        from tasks as task
        where task.id = blocker
        union
        select dependent.id, dependent.status, dependent.completed_at
        from waiting
        cross join lateral (
            select other.id, other.status, other.completed_at
            from task_dependencies as edge
            inner join tasks as other on other.id = edge.task_id
            where
                edge.depends_on_id = waiting.id
                and not is_satisfied(edge.dependency_type, waiting.status, waiting.completed_at)
                and other.status in ('pending', 'blocked', 'in_progress', 'in_review')
            offset 0
        ) as dependent
    )

    select count(*) - 1
    from waiting;
$$;

comment on function task_unblocks(uuid) is
    'How many open tasks wait for this one, directly or not: each counts once.';

-- The tasks among which a search ranks: all that match, as long as they are no more than
-- *bound*; of more, about the newest *bound*. Ranking reads each document, so a word that half
-- the tasks have would cost a second in a million; and nobody reads on past the first pages.
--
-- Ids grow with time, so the newest are the last by primary key. Three steps, each of bounded
-- cost, and each only where it pays (docs/decisions/0014-insight.md has the figures):
--   1. Look how many of the newest 1,000 tasks match.
--   2. If it is one in twenty or more, collect from the newest on, through 40 x bound tasks at
--      most. A full list is the exact newest; GIN would first gather every match.
--   3. Else ask GIN. Up to bound: all. Up to 10 x bound: the newest of all. Of still more,
--      the newest of those that are found first.
create function search_candidates(query tsquery, bound int)
    returns setof uuid
    language plpgsql
    stable
    rows 1000
    set search_path from current
    set enable_seqscan = off
    set jit = off
    -- A plan that knows the words would trust the statistics, which know nothing of phrases.
    set plan_cache_mode = force_generic_plan
as $$
declare
    frequency bigint;
    ids uuid[];
begin
    select count(*)
    into frequency
    from (
        select search.document
        from task_search as search
        order by search.task_id desc
        limit 1000
    ) as newest
    where newest.document @@ query;

    if frequency >= 50 then
        select array_agg(found.task_id)
        into ids
        from (
            select newest.task_id
            from (
                select search.task_id, search.document
                from task_search as search
                order by search.task_id desc
                limit 40 * bound
            ) as newest
            where newest.document @@ query
            limit bound
        ) as found;
        if cardinality(ids) = bound then
            return query select newest.id from unnest(ids) as newest (id);
            return;
        end if;
    end if;

    return query
    select found.task_id
    from (
        select search.task_id
        from task_search as search
        where search.document @@ query
        limit 10 * bound
    ) as found
    order by found.task_id desc
    limit bound;
end;
$$;

comment on function search_candidates(tsquery, int) is
    'The tasks that match, if no more than bound do; of more, about the newest bound.';

-- The history of each task as stays in a status, in order: imported rows first, by their own
-- times, then the recorded ones by their numbers.
--
-- Clocks may be wrong, and imported times tie or run backwards. A row that claims to be
-- earlier than one before it counts as at that one's moment, and is marked skewed; so no stay
-- is negative, and stays add up to the time between the first and the last.
--
-- The lateral part lets a query that names tasks read only their rows.
create view task_moves as
select
    task.id as task_id,
    move.position,
    move.previous_status,
    move.status,
    move.agent,
    move.note,
    move.is_move,
    move.is_done,
    move.entered_at,
    move.left_at,
    move.skewed
from tasks as task
cross join lateral (
    select
        stay.position,
        lag(stay.status) over in_order as previous_status,
        stay.status,
        stay.agent,
        stay.note,
        stay.is_move,
        -- The last stay so far that was not in the archive: twice its number, and one more
        -- if it was completed.
        max(2 * stay.position + cast(stay.status = 'completed' as int))
            filter (where stay.status <> 'archived')
            over in_order
        % 2 = 1 as is_done,
        stay.entered_at,
        lead(stay.entered_at) over in_order as left_at,
        stay.stated_at < stay.entered_at as skewed
    from (
        select
            row_number() over in_order as position,
            entry.new_status as status,
            entry.agent,
            entry.note,
            entry.old_status is not null as is_move,
            entry.created_at as stated_at,
            max(entry.created_at) over in_order as entered_at
        from task_history as entry
        where entry.task_id = task.id
        window in_order as (order by entry.seq nulls first, entry.created_at, entry.id)
    ) as stay
    window in_order as (order by stay.position)
) as move;

comment on view task_moves is
    'The history of each task as stays in a status, in order: imported rows by their times, '
    'then the recorded ones by their numbers.';
comment on column task_moves.position is 'Counts a task''s stays from 1.';
comment on column task_moves.previous_status is 'Where it stood before; null: it came.';
comment on column task_moves.is_move is
    'Someone moved it there. Else it came there: it was made so, or an importer found it so.';
comment on column task_moves.is_done is
    'Its work counts as done: completed, or archived after that.';
comment on column task_moves.entered_at is
    'When the stay began: the row''s own time, or that of a row before it, if that is later.';
comment on column task_moves.left_at is 'When the next stay began; null: it lasts.';
comment on column task_moves.skewed is 'The row claims to be earlier than one before it.';

-- When each task came, began and was done, from its history alone, but for one thing: it came
-- at tasks.created_at, which an importer knows from the other tracker, whose history seldom
-- begins there.
--
--   lead time    from when it came to when it was last completed
--   cycle time   from when it first went into progress to the same
--
-- Only a move completes: a task that was made or imported as completed has neither. If times
-- run backwards, or it moved before it came, it is skewed; figures over many tasks leave its
-- times out, and say how many these are.
create view task_flow as
select
    task.id as task_id,
    task.agent_type,
    flow.status,
    least(task.created_at, flow.first_at) as came_at,
    flow.started_at,
    case when flow.is_done then flow.done_at end as done_at,
    case when flow.is_done then flow.done_by end as done_by,
    case when flow.is_done then flow.done_at - least(task.created_at, flow.first_at) end
        as lead_time,
    case when flow.is_done then flow.done_at - flow.started_at end as cycle_time,
    flow.reopened_count,
    flow.skewed
    or (flow.moved_at is not null and flow.moved_at < task.created_at) as skewed
from tasks as task
cross join lateral (
    select
        min(move.entered_at) as first_at,
        min(move.entered_at) filter (where move.is_move) as moved_at,
        -- What an importer found in progress after its history ended is no second start.
        min(move.entered_at) filter (
            where move.status = 'in_progress' and (move.is_move or move.position = 1)
        ) as started_at,
        max(move.entered_at) filter (
            where move.status = 'completed'
                and move.is_move
                and move.previous_status is distinct from 'completed'
        ) as done_at,
        (array_agg(move.agent order by move.position desc) filter (
            where move.status = 'completed'
                and move.is_move
                and move.previous_status is distinct from 'completed'
        ))[1] as done_by,
        (array_agg(move.status order by move.position desc))[1] as status,
        (array_agg(move.is_done order by move.position desc))[1] as is_done,
        count(*) filter (
            where move.is_move
                and move.previous_status in ('completed', 'failed', 'cancelled', 'archived')
                and move.status in ('pending', 'blocked', 'in_progress', 'in_review')
        ) as reopened_count,
        bool_or(move.skewed) as skewed
    from task_moves as move
    where move.task_id = task.id
) as flow;

comment on view task_flow is
    'When each task came, began and was done: lead and cycle times, from its history.';
comment on column task_flow.came_at is 'tasks.created_at, or its first row if that is earlier.';
comment on column task_flow.started_at is 'When it first went into progress.';
comment on column task_flow.done_at is
    'When it was last completed; null if it is not, or came as completed.';
comment on column task_flow.done_by is 'Who completed it.';
comment on column task_flow.lead_time is 'From came_at to done_at.';
comment on column task_flow.cycle_time is
    'From started_at to done_at; null if it was completed without being in progress.';
comment on column task_flow.reopened_count is
    'How often it went from a finished status back to an open one.';
comment on column task_flow.skewed is
    'Times of its history run backwards, or it moved before it came.';
