-- Gives task ids[i], and all its blockers, direct or indirect, at least priority priorities[i].
--
-- The most urgent go first: tasks that they reach are urgent enough for the rest, so each task is
-- written once and each edge followed once, however many are given.
--
-- The tasks reached are locked in the order of ids, and read again, until nothing changes: adding
-- an edge out of a task writes that task. See docs/decisions/0013-effective-priority.md.
create function inherit_priority(ids uuid[], priorities int[])
    returns void
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    given record;
    lower uuid[];
    locked uuid[];
begin
    for given in
        select task.priority, array_agg(distinct task.id) as ids
        from unnest(ids, priorities) as task (id, priority)
        group by task.priority
        order by task.priority
    loop
        locked := null;
        loop
            select array_agg(task.id order by task.id)
            into lower
            from lower_priority_blockers(given.ids, given.priority) as task;
            exit when lower is not distinct from locked;
            perform
            from unnest(lower) as reached (id)
            cross join lateral (
                select from tasks as task where task.id = reached.id for no key update offset 0
            ) as task;
            locked := lower;
        end loop;
        update tasks as task
        set effective_priority = given.priority
        from (
            select found.place
            from unnest(lower) as reached (id)
            cross join lateral (
                select other.ctid as place from tasks as other where other.id = reached.id offset 0
            ) as found
        ) as change
        where task.ctid = change.place;
    end loop;
end;
$$;

comment on function inherit_priority(uuid[], int[]) is
    'Gives these tasks, and all their blockers, at least such a priority.';
