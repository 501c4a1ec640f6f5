-- 0024: of removed edges, only the dependents that still exist count again.
-- Locks: none beyond new objects.
-- Check: select prosrc like '%as dependent%' from pg_proc where proname = 'remove_edges'
--   and pronamespace = current_schema()::regnamespace;  -- expect t
set local lock_timeout = '2s';

-- Removed edges: their dependents count again, from scratch, since the blocker's row may be
-- gone as well. The dependent is written even if nothing changes in it: otherwise the
-- blocker, reopened by a transaction with an older snapshot, would count the edge it
-- still sees. And the tasks waited for owe them no urgency any more.
create or replace function remove_edges()
    returns trigger
    language plpgsql
    set search_path from current
    set enable_seqscan = off
as $$
declare
    waiting uuid[];
    awaited uuid[];
    change record;
begin
    select array_agg(removed.task_id), array_agg(removed.depends_on_id)
    into waiting, awaited
    from removed
    where removed.dependency_type <> 'suggests';
    if waiting is null then
        return null;
    end if;

    perform 1
    from tasks as task
    where task.id = any(waiting)
    order by task.id
    for no key update;

    for change in
        select
            edge.task_id,
            coalesce(
                min(blocker.key) || ': dependency removed', 'a task it waited for was deleted'
            ) as note
        from unnest(waiting, awaited) as edge (task_id, blocker_id)
        cross join lateral (
            select from tasks as task where task.id = edge.task_id offset 0
        ) as dependent
        left join lateral (
            select task.key from tasks as task where task.id = edge.blocker_id offset 0
        ) as blocker on true
        group by edge.task_id
    loop
        update tasks as task
        set
            open_dependencies = (
                select count(*)
                from task_dependencies as remaining
                cross join lateral (
                    select other.status, other.completed_at
                    from tasks as other
                    where other.id = remaining.depends_on_id
                    offset 0
                ) as blocker
                where
                    remaining.task_id = change.task_id
                    and not is_satisfied(
                        remaining.dependency_type, blocker.status, blocker.completed_at
                    )
            ),
            status_agent = 'taskdb',
            status_note = change.note
        where task.id = change.task_id;
    end loop;

    perform withdraw_urgency(awaited);
    return null;
end;
$$;
