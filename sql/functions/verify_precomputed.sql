-- Returns whether a load has computed itself what its edges make of a new task: how many hold it
-- back, whether it has dependents, and with these its effective priority.
create function is_precomputed(
    details_follow boolean, open_dependencies int, has_dependents boolean
)
    returns boolean
    language sql
    immutable
    parallel safe
return details_follow is true and (open_dependencies > 0 or has_dependents);

comment on function is_precomputed(boolean, int, boolean) is
    'True if the columns of a new task that follow from its edges were given.';

-- Corrects what a load has computed itself of its tasks, where their edges say otherwise: the
-- number of those that hold a task back, and a priority that none of its dependents has. Those of
-- more urgent dependents are inherited where edges are added, whatever was given.
create function verify_precomputed(ids uuid[])
    returns void
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
    set enable_memoize = off
as $$
declare
    miscounted uuid[];
    counts int[];
    too_urgent uuid[];
begin
    select
        array_agg(task.id) filter (where task.open_dependencies <> waiting.count),
        array_agg(waiting.count) filter (where task.open_dependencies <> waiting.count),
        array_agg(task.id) filter (where not coalesce(task.is_own or keeper.is_there, false))
    into miscounted, counts, too_urgent
    from unnest(ids) as given (id)
    cross join lateral (
        select
            other.id,
            other.open_dependencies,
            other.effective_priority,
            other.effective_priority = other.priority as is_own
        from tasks as other
        where other.id = given.id
        offset 0
    ) as task
    cross join lateral (
        select count(*)::int as count
        from task_dependencies as edge
        where edge.task_id = task.id and not edge.is_satisfied
        offset 0
    ) as waiting
    left join lateral (
        select true as is_there
        from task_dependencies as edge
        cross join lateral (
            select
            from tasks as other
            where
                other.id = edge.task_id
                and other.effective_priority = task.effective_priority
                and is_active(other.status, other.completed_at)
            offset 0
        ) as dependent
        where
            not task.is_own
            and edge.depends_on_id = task.id
            and edge.dependency_type <> 'suggests'
        limit 1
    ) as keeper on true;

    if miscounted is not null then
        update tasks as task
        set
            open_dependencies = correct.count,
            status_seq = 0,
            status_agent = 'taskdb',
            status_note = 'its dependencies were miscounted'
        from (
            select given.count, found.place
            from unnest(miscounted, counts) as given (id, count)
            cross join lateral (
                select other.ctid as place from tasks as other where other.id = given.id offset 0
            ) as found
        ) as correct
        where task.ctid = correct.place;
    end if;
    if too_urgent is not null then
        perform revoke_priority(too_urgent);
    end if;
end;
$$;

comment on function verify_precomputed(uuid[]) is
    'Corrects the counts and priorities that a load gave its tasks, where their edges differ.';
