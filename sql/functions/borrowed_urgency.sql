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
