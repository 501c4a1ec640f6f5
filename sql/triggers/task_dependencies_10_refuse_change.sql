-- An edge is added and removed, never changed: a change of its ends or its type would have to do
-- the work of both. And no task waits for itself.
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
