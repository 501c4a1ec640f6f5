-- When a task begins or ceases to satisfy the dependencies on it, those that wait for it
-- count one open dependency less or more; settle_task does the rest.
--
-- Every change of a task's count writes its row, so two blockers that complete at once
-- meet there. An edge added meanwhile has written this task's row (see add_edges), so the
-- two can't miss each other; an edge removed meanwhile has written its dependent's row:
-- lock first, and read the edges in a statement, and so in a snapshot, of its own.
--
-- One less or more is right unless this very change was counted already, or the edge was
-- not yet: one statement can do both, in its CTEs, and add_edges may come before this or
-- after. So what this transaction has written is counted from scratch. (age tells that, and
-- now and then takes a younger transaction's row for its own: then it counts in vain.)
create function open_gates()
    returns trigger
    language plpgsql
    set search_path from current
    set enable_seqscan = off
as $$
declare
    waiting uuid[];
    gate record;
begin
    if
        is_satisfied('requires', old.status, old.completed_at)
        = is_satisfied('requires', new.status, new.completed_at)
        and is_satisfied('blocks', old.status, old.completed_at)
        = is_satisfied('blocks', new.status, new.completed_at)
    then
        return null;
    end if;

    select array_agg(edge.task_id)
    into waiting
    from task_dependencies as edge
    where edge.depends_on_id = new.id and edge.dependency_type <> 'suggests';
    if waiting is null then
        return null;
    end if;

    perform 1
    from tasks as task
    where task.id = any(waiting)
    order by task.id
    for no key update;

    for gate in
        select
            edge.task_id,
            is_satisfied(edge.dependency_type, old.status, old.completed_at)::int
            - is_satisfied(edge.dependency_type, new.status, new.completed_at)::int as change,
            age(edge.xmin) > 0 as counted
        from task_dependencies as edge
        where edge.depends_on_id = new.id and edge.dependency_type <> 'suggests'
    loop
        update tasks as task
        set
            open_dependencies = case
                when gate.counted and age(task.xmin) > 0
                    then task.open_dependencies + gate.change
                else (
                    select count(*)
                    from task_dependencies as edge
                    cross join lateral (
                        select other.status, other.completed_at
                        from tasks as other
                        where other.id = edge.depends_on_id
                        offset 0
                    ) as blocker
                    where
                        edge.task_id = task.id
                        and not is_satisfied(
                            edge.dependency_type, blocker.status, blocker.completed_at
                        )
                )
            end,
            status_agent = 'taskdb',
            status_note = new.key
        where task.id = gate.task_id and gate.change <> 0;
    end loop;
    return null;
end;
$$;

comment on function open_gates() is
    'Passes a change of a task''s status on to the tasks that wait for it.';

create trigger tasks_90_open_gates
    after update of status, completed_at on tasks
    for each row
    execute function open_gates();
