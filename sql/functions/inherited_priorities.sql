-- Of *roots* and what they wait for, directly or not, the tasks that are more urgent than
-- their own priority, and may have inherited that from a root: along the way they become no more
-- urgent. (Less urgent only while a statement's changes are still being passed on: then a task
-- may be kept by one that is more urgent than it, and must be found when that one ceases to be.)
-- Each is visited once (union), and found by index, for the reasons that task_graph_region has.
create function inherited_priorities(roots uuid[])
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
    'Those of these tasks, and of what they wait for, that may have inherited from these.';
