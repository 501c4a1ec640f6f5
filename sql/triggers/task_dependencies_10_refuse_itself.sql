-- An edge from a task to itself is a cycle, also of a task that this snapshot does not see: it was
-- deleted or made meanwhile. Its key is unknown then, and the path has its id.
create function refuse_edge_to_itself()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
as $$
declare
    name text := coalesce(
        (select task.key from tasks as task where task.id = new.task_id), new.task_id::text
    );
begin
    perform raise_circular_dependency(array[name, name]);
    return new;
end;
$$;

comment on function refuse_edge_to_itself() is 'Refuses a task that waits for itself.';

create trigger task_dependencies_10_refuse_itself
    before insert on task_dependencies
    for each row
    when (new.task_id = new.depends_on_id)
    execute function refuse_edge_to_itself();
