create function refuse_parent_cycle()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    if new.parent_id is null or new.parent_id is not distinct from old.parent_id then
        return null;
    end if;

    if exists (
        with recursive ancestor as (
            select new.parent_id as id
            union
            select above.parent_id
            from ancestor
            cross join lateral (
                select details.parent_id
                from task_details as details
                where details.task_id = ancestor.id
                offset 0
            ) as above
            where above.parent_id is not null
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
