-- The tree of parents has no cycle. A new task has no children yet, unless they come in the same
-- statement; a change of parent is rare, and writes its guard first.
create function refuse_parent_cycle_among_new()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
as $$
declare
    ids uuid[];
    parents uuid[];
    above int[];
    visit int[];
    n int;
begin
    select array_agg(created.task_id), array_agg(created.parent_id)
    into ids, parents
    from created
    where created.parent_id is not null;
    if ids is null then
        return null;
    end if;

    -- From each task walk up to one visited before, or out of the new tasks. Meeting a task of the
    -- same walk is the cycle.
    above := positions_of(parents, ids);
    visit := array_fill(0, array[cardinality(ids)]);
    for i in 1..cardinality(ids) loop
        n := i;
        while visit[n] = 0 loop
            visit[n] := i;
            n := above[n];
        end loop;
        if visit[n] = i then
            perform raise_parent_cycle(ids[n]);
        end if;
    end loop;
    return null;
end;
$$;

comment on function refuse_parent_cycle_among_new() is
    'Refuses tasks of one statement that are each other''s parents.';

create trigger task_details_60_refuse_parent_cycle_among_new
    after insert on task_details
    referencing new table as created
    for each statement
    execute function refuse_parent_cycle_among_new();
