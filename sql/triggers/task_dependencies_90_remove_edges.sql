-- Removed edges: their dependents count them no longer, and their blockers stop inheriting from
-- them. The dependent is written even unchanged: otherwise a blocker, reopened by a transaction
-- with an older snapshot, would count an edge that it still sees. The blocker's row may be gone as
-- well; only if it is not, the tasks that ended with it are taken up again.
create function remove_edges()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    waiting uuid[];
    awaited uuid[];
    opened int[];
    bound uuid[];
    bound_to uuid[];
begin
    select
        array_agg(removed.task_id order by removed.task_id),
        array_agg(removed.depends_on_id order by removed.task_id),
        array_agg((not removed.is_satisfied)::int order by removed.task_id),
        array_agg(removed.task_id)
            filter (where removed.dependency_type in ('cancelled_with', 'compensates')),
        array_agg(removed.depends_on_id)
            filter (where removed.dependency_type in ('cancelled_with', 'compensates'))
    into waiting, awaited, opened, bound, bound_to
    from removed
    where removed.dependency_type <> 'suggests';
    if waiting is null then
        return null;
    end if;

    perform
    from unnest(waiting) as given (id)
    cross join lateral (
        select from tasks as task where task.id = given.id for no key update offset 0
    ) as task;

    update tasks as task
    set
        open_dependencies = task.open_dependencies - change.opened,
        status_seq = 0,
        status_agent = 'taskdb',
        status_note = coalesce(
            change.blocker_key || ': dependency removed', 'a task it waited for was deleted'
        )
    from (
        select
            dependent.place,
            sum(edge.opened)::int as opened,
            min(blocker.key) as blocker_key
        from unnest(waiting, awaited, opened) as edge (task_id, depends_on_id, opened)
        cross join lateral (
            select task.ctid as place from tasks as task where task.id = edge.task_id offset 0
        ) as dependent
        left join lateral (
            select task.key from tasks as task where task.id = edge.depends_on_id offset 0
        ) as blocker on true
        group by dependent.place
    ) as change
    where task.ctid = change.place;

    perform revoke_priority(awaited);

    if bound is not null then
        perform take_up_again(
            array_agg(edge.task_id), min(blocker.key) || ': dependency removed'
        )
        from unnest(bound, bound_to) as edge (task_id, depends_on_id)
        cross join lateral (
            select task.key from tasks as task where task.id = edge.depends_on_id offset 0
        ) as blocker
        having count(*) > 0;
    end if;
    return null;
end;
$$;

comment on function remove_edges() is
    'Takes removed dependencies out of their tasks'' counts and priorities.';

create trigger task_dependencies_90_remove_edges
    after delete on task_dependencies
    referencing old table as removed
    for each statement
    execute function remove_edges();
