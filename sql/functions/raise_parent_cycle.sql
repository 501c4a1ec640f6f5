-- Walks up from a task whose ancestors form a cycle, and refuses with their keys.
create function raise_parent_cycle(start_id uuid)
    returns void
    language plpgsql
    set search_path from current
as $$
declare
    at_id uuid := start_id;
    at_key text;
    seen uuid[] := '{}';
    keys text[] := '{}';
begin
    while not at_id = any(seen) loop
        seen := seen || at_id;
        select task.key, details.parent_id
        into at_key, at_id
        from tasks as task
        inner join task_details as details on details.task_id = task.id
        where task.id = at_id;
        keys := keys || at_key;
    end loop;
    keys := keys[array_position(seen, at_id):];
    perform raise_circular_dependency(keys || keys[1]);
end;
$$;

comment on function raise_parent_cycle(uuid) is 'Raises TD002 with the cycle of parents.';
