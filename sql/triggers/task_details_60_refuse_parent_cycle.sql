create function refuse_parent_cycle()
    returns trigger
    language plpgsql
    security definer
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

create trigger task_details_60_refuse_parent_cycle
    after update of parent_id on task_details
    for each row
    execute function refuse_parent_cycle();
