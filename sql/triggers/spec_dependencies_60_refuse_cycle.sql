-- The dependencies between specifications have no cycle: each new one writes spec_guard and then
-- walks, in a statement and so at READ COMMITTED in a snapshot of its own, from its blocker on. A
-- walk that comes back to its start has found a cycle.
create function refuse_spec_cycle()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
as $$
declare
    back text[];
begin
    update spec_guard set version = version + 1 where only_row;
    if not found then
        insert into spec_guard (version) values (0) on conflict do nothing;
        update spec_guard set version = version + 1 where only_row;
    end if;
    back := spec_path(new.depends_on_id, new.spec_id);
    if back is not null then
        perform raise_circular_dependency(back[cardinality(back):] || back);
    end if;
    return null;
end;
$$;

comment on function refuse_spec_cycle() is
    'Refuses a dependency that closes a cycle of specifications.';

create trigger spec_dependencies_60_refuse_cycle
    after insert on spec_dependencies
    for each row
    execute function refuse_spec_cycle();
