-- Propagates the priority of a task that changed it, was abandoned, or was taken up again: its
-- blockers inherit the new priority, or stop inheriting from it.
create function pass_on_priority(
    of_task uuid, old_priority int, new_priority int, was_active boolean
)
    returns void
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    awaited uuid[];
    priority int;
    is_active_now boolean;
begin
    if new_priority > old_priority then
        perform revoke_priority(array[of_task]);
    end if;

    -- Read again: another row of the same statement may have changed it since.
    select
        array_agg(edge.depends_on_id),
        min(task.effective_priority),
        bool_or(is_active(task.status, task.completed_at))
    into awaited, priority, is_active_now
    from (
        select other.effective_priority, other.status, other.completed_at
        from tasks as other
        where other.id = of_task
        offset 0
    ) as task
    cross join lateral (
        select dependency.depends_on_id
        from task_dependencies as dependency
        where dependency.task_id = of_task and dependency.dependency_type <> 'suggests'
        offset 0
    ) as edge;
    if awaited is null then
        return;
    end if;

    if is_active_now then
        perform inherit_priority(awaited, array_fill(priority, array[cardinality(awaited)]));
    elsif was_active then
        perform revoke_priority(awaited);
    end if;
end;
$$;

comment on function pass_on_priority(uuid, int, int, boolean) is
    'Passes a change of a task''s priority on to its blockers.';
