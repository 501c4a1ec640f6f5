-- Makes task ids[i], and all that it waits for, at least as urgent as urgencies[i].
--
-- The most urgent go first: what they have reached is urgent enough for the rest, so each
-- task is written once and each edge followed once, however many are given.
--
-- What is reached is locked in the order of ids, and looked at again, until it stands still:
-- whoever adds an edge out of a task has written that task. (docs/decisions/0013.)
create function spread_urgency(ids uuid[], urgencies int[])
    returns void
    language plpgsql
    set search_path from current
    set enable_seqscan = off
as $$
declare
    given record;
    late uuid[];
    locked uuid[];
begin
    for given in
        select late.urgency, array_agg(late.id) as ids
        from unnest(ids, urgencies) as late (id, urgency)
        group by late.urgency
        order by late.urgency
    loop
        locked := null;
        loop
            select array_agg(task.id order by task.id)
            into late
            from less_urgent_blockers(given.ids, given.urgency) as task;
            exit when late is not distinct from locked;
            perform 1
            from tasks as task
            where task.id = any(late)
            order by task.id
            for no key update;
            locked := late;
        end loop;
        update tasks as task
        set effective_priority = given.urgency
        where task.id = any(late);
    end loop;
end;
$$;

comment on function spread_urgency(uuid[], int[]) is
    'Makes these tasks, and all that they wait for, at least so urgent.';
