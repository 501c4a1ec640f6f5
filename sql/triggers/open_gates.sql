-- When a task begins or ceases to satisfy the dependencies on it, those that wait for it
-- count one open dependency less or more; settle_task does the rest.
--
-- Every change of a task's count writes its row, so two blockers that complete at once
-- meet there. An edge added meanwhile has written this task's row (see add_edges), so the
-- two can't miss each other; an edge removed meanwhile has written its dependent's row:
-- lock first, and read the edges in a statement, and so in a snapshot, of its own.
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
            - is_satisfied(edge.dependency_type, new.status, new.completed_at)::int as change
        from task_dependencies as edge
        where edge.depends_on_id = new.id and edge.dependency_type <> 'suggests'
    loop
        update tasks as task
        set
            open_dependencies = task.open_dependencies + gate.change,
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
