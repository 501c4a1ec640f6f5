-- Revokes inherited priority that nothing justifies any more, from *ids* and their blockers, direct
-- or indirect: from tasks more urgent than their own priority and than all their dependents.
--
-- A task keeps its priority if a dependent is as urgent, and nothing below it is visited. So a
-- statement that changes many tasks, and comes here for each, costs as much as what changes, and
-- not each time as much as all that lies below. A graph deeper than 32 levels is recomputed at
-- once, since a step for each level is slow. Dependents are searched from the latest on: statements
-- mostly change the oldest first, and those no longer justify anything.
--
-- A task's dependents determine how urgent it remains: they are locked with it, or, for a task that
-- keeps its priority, the one that justifies it, in the order of ids, and read again until nothing
-- changes. They are written, even unchanged: there this meets a transaction with an older snapshot
-- that changes the priority of one of them, and still sees the old priority of its blockers.
-- docs/decisions/0013-effective-priority.md; tests/races/test_guards.py has the mutant. Rows that
-- this transaction has written already are not written again: a row with a thousand versions is
-- slow to find.
--
-- Without sorts a dependent comes from the index by blocker, read backwards, and the first one ends
-- the search. Plans are cached, since a statement may come here for each of its rows.
create function revoke_priority(ids uuid[])
    returns void
    language plpgsql
    set search_path from current
    set enable_seqscan = off
    set enable_sort = off
    set plan_cache_mode = force_generic_plan
as $$
declare
    given uuid[] := ids;
    loose uuid[];
    old_priorities int[];
    keepers uuid[];
    around uuid[];
    locked uuid[];
begin
    for step in 1..32 loop
        locked := null;
        loop
            select
                array_agg(task.id) filter (where keeper.id is null),
                array_agg(task.old_priority) filter (where keeper.id is null),
                array_agg(keeper.id) filter (where keeper.id is not null)
            into loose, old_priorities, keepers
            from (select distinct unnest(given) as id) as place
            cross join lateral (
                select other.id, other.effective_priority::int as old_priority
                from tasks as other
                where other.id = place.id and other.effective_priority < other.priority
                offset 0
            ) as task
            left join lateral (
                select dependent.id
                from task_dependencies as edge
                cross join lateral (
                    select other.id
                    from tasks as other
                    where
                        other.id = edge.task_id
                        and other.effective_priority <= task.old_priority
                        and is_active(other.status, other.completed_at)
                    offset 0
                ) as dependent
                where edge.depends_on_id = task.id and edge.dependency_type <> 'suggests'
                order by edge.dependency_type desc, edge.task_id desc
                limit 1
            ) as keeper on true;
            if loose is null and keepers is null then
                return;
            end if;

            select array_agg(distinct place.id order by place.id)
            into around
            from (
                select unnest(loose || keepers) as id
                union all
                select edge.task_id
                from unnest(loose) as task (id)
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
            perform
            from unnest(around) as given (id)
            cross join lateral (
                select from tasks as task where task.id = given.id for no key update offset 0
            ) as task;
            locked := around;
        end loop;

        update tasks as task
        set effective_priority = task.effective_priority
        from (
            select found.place
            from (select unnest(around) as id except all select unnest(loose)) as given
            cross join lateral (
                select other.ctid as place
                from tasks as other
                where other.id = given.id and other.xmin <> pg_current_xact_id()::xid
                offset 0
            ) as found
        ) as unchanged
        where task.ctid = unchanged.place;
        if loose is null then
            return;
        end if;
        update tasks as task
        set
            effective_priority = least(
                task.priority,
                (
                    select min(dependent.effective_priority)
                    from task_dependencies as edge
                    cross join lateral (
                        select other.effective_priority
                        from tasks as other
                        where
                            other.id = edge.task_id
                            and is_active(other.status, other.completed_at)
                        offset 0
                    ) as dependent
                    where edge.depends_on_id = task.id and edge.dependency_type <> 'suggests'
                )
            )
        from (
            select found.place
            from unnest(loose) as given (id)
            cross join lateral (
                select other.ctid as place from tasks as other where other.id = given.id offset 0
            ) as found
        ) as change
        where task.ctid = change.place;

        select array_agg(distinct blocker.id)
        into given
        from unnest(loose, old_priorities) as task (id, old_priority)
        cross join lateral (
            select edge.depends_on_id
            from task_dependencies as edge
            where edge.task_id = task.id and edge.dependency_type <> 'suggests'
            offset 0
        ) as edge
        cross join lateral (
            select other.id
            from tasks as other
            where
                other.id = edge.depends_on_id
                and other.effective_priority >= task.old_priority
                and other.effective_priority < other.priority
            offset 0
        ) as blocker;
    end loop;

    perform revoke_deep_priority(given);
end;
$$;

comment on function revoke_priority(uuid[]) is
    'Revokes inherited priority that nothing justifies, from tasks and their blockers.';
