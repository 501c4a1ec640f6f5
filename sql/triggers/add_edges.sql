-- New edges: their dependents count them, the graph stays without a cycle, and what is waited
-- for becomes as urgent as those that wait.
--
-- Both ends of every gating edge are written, even where nothing changes in them. The
-- dependent's row is where this meets any other change of its count, rank or urgency; the
-- blocker's row is where it meets the blocker's own completion, reopening or lowering. A
-- lock without a write is not enough: released by the commit, it leaves no trace for a
-- REPEATABLE READ transaction with an older snapshot, which would then neither see the
-- edge nor fail. tests/test_races.py has the mutant.
--
-- Rows are locked in the order of ids, as everywhere; and what they hold is read in the
-- statements after that, which at READ COMMITTED have snapshots of their own.
--
-- Tasks are looked up by id one by one (lateral with offset 0): a plan made for one edge, or
-- from statistics older than a load, must do for a million.
create function add_edges()
    returns trigger
    language plpgsql
    set search_path from current
    set enable_seqscan = off
as $$
declare
    waiting uuid[];
    awaited uuid[];
    wrong_waiting uuid[];
    wrong_awaited uuid[];
    late uuid[];
    urgencies int[];
begin
    select array_agg(added.task_id), array_agg(added.depends_on_id)
    into waiting, awaited
    from added
    where added.dependency_type <> 'suggests';
    if waiting is null then
        return null;
    end if;

    perform 1
    from tasks as task
    where task.id = any(waiting || awaited)
    order by task.id
    for no key update;

    update tasks as task
    set
        (open_dependencies, status_note) = (
            select count(*), min(blocker.key)
            from task_dependencies as edge
            cross join lateral (
                select other.key, other.status, other.completed_at
                from tasks as other
                where other.id = edge.depends_on_id
                offset 0
            ) as blocker
            where
                edge.task_id = task.id
                and not is_satisfied(edge.dependency_type, blocker.status, blocker.completed_at)
        ),
        status_agent = 'taskdb'
    where task.id = any(waiting || awaited);

    select array_agg(edge.task_id), array_agg(edge.blocker_id)
    into wrong_waiting, wrong_awaited
    from unnest(waiting, awaited) as edge (task_id, blocker_id)
    cross join lateral (
        select task.graph_rank from tasks as task where task.id = edge.task_id offset 0
    ) as dependent
    cross join lateral (
        select task.graph_rank from tasks as task where task.id = edge.blocker_id offset 0
    ) as blocker
    where blocker.graph_rank >= dependent.graph_rank;

    if wrong_waiting is not null then
        perform task_graph_repair(wrong_waiting, wrong_awaited);
    end if;

    select array_agg(edge.blocker_id), array_agg(dependent.effective_priority)
    into late, urgencies
    from unnest(waiting, awaited) as edge (task_id, blocker_id)
    cross join lateral (
        select task.effective_priority
        from tasks as task
        where task.id = edge.task_id and is_wanted(task.status, task.completed_at)
        offset 0
    ) as dependent
    cross join lateral (
        select task.effective_priority from tasks as task where task.id = edge.blocker_id offset 0
    ) as blocker
    where blocker.effective_priority > dependent.effective_priority;

    if late is not null then
        perform spread_urgency(late, urgencies);
    end if;
    return null;
end;
$$;

comment on function add_edges() is
    'Counts new dependencies at their tasks, passes their urgency on, and refuses those that '
    'close a cycle.';

create trigger task_dependencies_50_add_edges
    after insert on task_dependencies
    referencing new table as added
    for each statement
    execute function add_edges();
