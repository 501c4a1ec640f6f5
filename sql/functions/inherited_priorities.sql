-- The tasks among *roots* and their blockers, direct or indirect, that may have inherited a
-- priority from a root: more urgent than their own, and no more urgent than the task before on the
-- way. While a statement's changes are still being passed on, a blocker can be less urgent than its
-- dependent; it must be found when that one stops justifying it. Each is visited once (union), and
-- found by index, for the reasons in task_graph_region.
create function inherited_priorities(roots uuid[])
    returns table (id uuid)
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
    with recursive heir (id, effective_priority, is_active) as (
        select task.id, task.effective_priority, task.is_active
        from unnest(roots) as root (id)
        cross join lateral (
            select
                other.id,
                other.effective_priority::int as effective_priority,
                is_active(other.status, other.completed_at) as is_active
            from tasks as other
            where other.id = root.id and other.effective_priority < other.priority
            offset 0
        ) as task
        union
        select blocker.id, blocker.effective_priority, blocker.is_active
        from heir
        cross join lateral (
            select dependency.depends_on_id
            from task_dependencies as dependency
            where dependency.task_id = heir.id and dependency.dependency_type <> 'suggests'
            offset 0
        ) as edge
        cross join lateral (
            select
                other.id,
                other.effective_priority::int as effective_priority,
                is_active(other.status, other.completed_at) as is_active
            from tasks as other
            where
                other.id = edge.depends_on_id
                and other.effective_priority >= heir.effective_priority
                and other.effective_priority < other.priority
            offset 0
        ) as blocker
        where heir.is_active
    )

    select heir.id
    from heir;
$$;

comment on function inherited_priorities(uuid[]) is
    'The tasks among these and their blockers that may have inherited from these.';
