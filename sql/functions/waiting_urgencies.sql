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
