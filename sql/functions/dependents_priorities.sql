-- The dependents of the listed tasks, with their effective priorities; abandoned ones, which pass
-- nothing on, are left out. awaited is the position of the blocker in the list.
create function dependents_priorities(listed uuid[])
    returns table (awaited int, waiting_id uuid, effective_priority int)
    language sql
    stable
    rows 100
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_hashjoin = off
    set enable_mergejoin = off
    set enable_material = off
    set enable_seqscan = off
    set jit = off
as $$
    select task.position::int, dependent.id, dependent.effective_priority
    from unnest(listed) with ordinality as task (id, position)
    cross join lateral (
        select dependency.task_id
        from task_dependencies as dependency
        where dependency.depends_on_id = task.id and dependency.dependency_type <> 'suggests'
        offset 0
    ) as edge
    cross join lateral (
        select other.id, other.effective_priority::int as effective_priority
        from tasks as other
        where other.id = edge.task_id and is_active(other.status, other.completed_at)
        offset 0
    ) as dependent;
$$;

comment on function dependents_priorities(uuid[]) is
    'The active tasks that wait for these, with their effective priorities.';
