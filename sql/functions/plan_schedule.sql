-- The earliest start and end of each open task, and its slack, the delay that does not
-- make the whole later: the critical path method (J. E. Kelley and M. R. Walker,
-- "Critical-path planning and scheduling", 1959) over the dependency graph.
--
-- Assumptions:
--   scope     the tasks to be finished; the open ones among them take part, and so do their
--             open blockers outside, since these come first all the same. Finished tasks and
--             satisfied edges take no part.
--   hours     a task's estimated_hours, else the median of its agent type
--             (task_hours_by_type), else one hour. A task in progress counts whole.
--   agents    as many as there is work for. Hours are of work: neither nights nor
--             scheduled_at count, nor which agents are free.
--
-- A task is stuck if it waits, directly or not, for one that failed or was abandoned: its
-- hours hold only once that is repaired.
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
    -- with, first[n + 1]; null where the dependency is dead.
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

    -- Most scopes have no blocker outside: the walk out of the scope runs only if there is one.
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
                details.estimated_hours,
                (medians ->> coalesce(other.agent_type, ''))::numeric as median_hours
            from tasks as other
            inner join task_details as details on details.task_id = other.id
            where
                other.id = member.id
                and other.status in ('pending', 'blocked', 'in_progress', 'in_review')
            offset 0
        ) as task;
        if ids is null then
            return;
        end if;

        select
            array_agg(blocker.waiting), array_agg(case when not blocker.dead then blocker.blocker_id end)
        into waiters, blocker_ids
        from open_task_blockers(ids) as blocker;
        blockers := positions_of(blocker_ids, ids);
        exit when not exists (
            select
            from unnest(blocker_ids, blockers) as blocker (id, position)
            where blocker.id is not null and blocker.position is null
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

    -- One longest path, backwards from a task that ends last to one without blockers. Tasks that
    -- take no time are on it too: of equally long paths the one of more waves.
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
    'Critical path method over the open tasks among these and their open blockers: earliest and '
    'latest start and finish, in hours of work from now with enough agents; slack is the delay '
    'of a task that does not make the whole later; wave 1 waits for nothing, wave n for a task '
    'of wave n - 1; path_step numbers the tasks of one longest path. hours are estimated_hours, '
    'else the median of the agent type, else one (hours_from: estimate, median, default). stuck: '
    'it waits, directly or not, for a task that failed or was abandoned.';
