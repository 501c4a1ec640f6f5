-- The tree of parents has no cycle. A new task has no children yet, unless they come in
-- the same statement; a move is rare, and writes the one row of parent_guard first.
create function refuse_parent_cycle_among_new()
    returns trigger
    language plpgsql
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

    -- From each walk up to where an earlier walk has been, or out of the new tasks. Coming
    -- upon one's own steps is the cycle.
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

create function refuse_parent_cycle()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if new.parent_id is null or new.parent_id is not distinct from old.parent_id then
        return null;
    end if;

    update parent_guard set version = version + 1 where only_row;
    if not found then
        insert into parent_guard (version) values (0) on conflict do nothing;
        update parent_guard set version = version + 1 where only_row;
    end if;
    if exists (
        with recursive ancestor as (
            select new.parent_id as id
            union
            select details.parent_id
            from ancestor
            inner join task_details as details on details.task_id = ancestor.id
            where details.parent_id is not null
        )

        select from ancestor where ancestor.id = new.task_id
    ) then
        perform raise_parent_cycle(new.task_id);
    end if;
    return null;
end;
$$;

comment on function refuse_parent_cycle() is 'Refuses to make a task a part of its own part.';

create trigger task_details_60_refuse_parent_cycle_among_new
    after insert on task_details
    referencing new table as created
    for each statement
    execute function refuse_parent_cycle_among_new();

create trigger task_details_60_refuse_parent_cycle
    after update of parent_id on task_details
    for each row
    execute function refuse_parent_cycle();
