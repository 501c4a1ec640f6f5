-- An edge is made and removed, never changed: a change of its ends or its type would have
-- to do all that both do. And no task waits for itself.
create function refuse_changed_edge()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    raise exception using
        errcode = 'TD003',
        message = 'a dependency cannot be changed',
        detail = 'TD003 update',
        hint = 'Delete it and insert the other one in the same transaction.';
end;
$$;

comment on function refuse_changed_edge() is 'Refuses to change a dependency.';

create trigger task_dependencies_10_refuse_change
    before update of task_id, depends_on_id, dependency_type on task_dependencies
    for each row
    when (
        (old.task_id, old.depends_on_id, old.dependency_type)
        is distinct from (new.task_id, new.depends_on_id, new.dependency_type)
    )
    execute function refuse_changed_edge();

create function refuse_edge_to_itself()
    returns trigger
    language plpgsql
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

create function refuse_truncated_edges()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if exists (select from tasks) then
        raise exception using
            errcode = 'TD003',
            message = 'dependencies cannot be truncated, since their tasks count them',
            detail = 'TD003 truncate',
            hint = 'Delete them; "truncate tasks cascade" empties both.';
    end if;
    return null;
end;
$$;

comment on function refuse_truncated_edges() is
    'Refuses to empty task_dependencies while there are tasks.';

create trigger task_dependencies_10_refuse_truncation
    after truncate on task_dependencies
    for each statement
    execute function refuse_truncated_edges();
