-- New edges: their dependents count them, the graph stays without a cycle, and their blockers
-- inherit the priority of the dependents.
--
-- Both ends of every requires or blocks edge are written, even where nothing changes in them. The
-- dependent's row is where this meets any other change of its count, rank or priority; the
-- blocker's row is where it meets the blocker's own completion, reopening or lowering. A
-- lock without a write is not enough: released by the commit, it leaves no trace for a
-- REPEATABLE READ transaction with an older snapshot, which would then neither see the
-- edge nor fail. tests/races/test_guards.py has the mutant.
--
-- Rows are locked in the order of ids, as everywhere; and their columns are read by the statements
-- that lock or write them, or by later ones.
--
-- One edge is the common case, and the one below: an update of each end, the blocker first where
-- its id is the lower one, as it usually is. add_many_edges does many.
create function add_edges()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    waiting_id uuid;
    awaited_id uuid;
    edge_type dependency_type;
    was_satisfied boolean;
    now_satisfied boolean;
    waiting_comes_first boolean;
    are_many boolean;
    opened int := 1;
    blocker_key text;
    blocker_rank bigint;
    blocker_priority int;
    is_ranked boolean;
    new_priority int;
begin
    select
        added.task_id,
        added.depends_on_id,
        added.dependency_type,
        added.is_satisfied,
        added.task_id < added.depends_on_id,
        added.dependency_type not in ('requires', 'blocks')
        or exists (select from added offset 1)
    into waiting_id, awaited_id, edge_type, was_satisfied, waiting_comes_first, are_many
    from added;
    if are_many then
        perform add_many_edges(
            array_agg(added.task_id),
            array_agg(added.depends_on_id),
            array_agg(added.dependency_type),
            array_agg(added.is_satisfied)
        )
        from added;
        return null;
    elsif are_many is null then
        return null;
    end if;

    if waiting_comes_first then
        perform from tasks as task where task.id = waiting_id for no key update;
    end if;
    update tasks as task
    set has_dependents = true, is_passed_on = true
    where task.id = awaited_id
    returning
        task.key,
        task.graph_rank,
        task.effective_priority,
        is_satisfied(edge_type, task.status, task.completed_at)
    into blocker_key, blocker_rank, blocker_priority, now_satisfied;

    if now_satisfied or was_satisfied then
        opened := (not was_satisfied)::int;
        update task_dependencies as edge
        set is_satisfied = now_satisfied
        where
            edge.task_id = waiting_id
            and edge.depends_on_id = awaited_id
            and edge.is_satisfied <> now_satisfied;
        if found then
            opened := (not now_satisfied)::int;
        end if;
    end if;
    update tasks as task
    set
        open_dependencies = task.open_dependencies + opened,
        status_seq = 0,
        status_agent = 'taskdb',
        status_note = blocker_key
    where task.id = waiting_id
    returning
        task.graph_rank > blocker_rank,
        case
            when
                task.effective_priority < blocker_priority
                and is_active(task.status, task.completed_at)
                then task.effective_priority
        end
    into is_ranked, new_priority;

    if not is_ranked then
        perform task_graph_repair(array[waiting_id], array[awaited_id]);
    end if;
    if new_priority is not null then
        perform inherit_priority(array[awaited_id], array[new_priority]);
    end if;
    return null;
end;
$$;

comment on function add_edges() is
    'Counts new dependencies at their tasks, passes their priority on, and refuses those that '
    'close a cycle.';

create trigger task_dependencies_90_add_edges
    after insert on task_dependencies
    referencing new table as added
    for each statement
    execute function add_edges();
