-- The second row of a task stays with it. `tasks.update` writes the column, and changes nothing.
create function refuse_moved_details()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    raise exception using
        errcode = 'TD003',
        message = 'a row of task_details stays with its task',
        detail = 'TD003 update',
        hint = 'Insert a row for the other task.';
end;
$$;

comment on function refuse_moved_details() is 'Refuses to move the second row of a task.';

create trigger task_details_10_refuse_move
    before update of task_id on task_details
    for each row
    when (old.task_id <> new.task_id)
    execute function refuse_moved_details();
