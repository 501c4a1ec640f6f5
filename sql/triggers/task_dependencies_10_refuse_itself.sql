create function refuse_edge_to_itself()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
as $$
begin
    perform raise_circular_dependency(
        (select array[task.key, task.key] from tasks as task where task.id = new.task_id)
    );
    return new;
end;
$$;

comment on function refuse_edge_to_itself() is 'Refuses a task that waits for itself.';

create trigger task_dependencies_10_refuse_itself
    before insert on task_dependencies
    for each row
    when (new.task_id = new.depends_on_id)
    execute function refuse_edge_to_itself();
