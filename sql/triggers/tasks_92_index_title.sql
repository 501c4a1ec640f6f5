-- Updates task_search with the words of tasks whose title or description changes. New ones are in
-- task_details_90_record_creation.sql.
create function index_title()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    if old.title <> new.title then
        update task_search as text
        set
            title = new.title,
            document = task_document(new.title, details.description)
        from task_details as details
        where text.task_id = new.id and details.task_id = new.id;
    end if;
    return null;
end;
$$;

comment on function index_title() is 'Writes the changed title of a task into task_search.';

create trigger tasks_92_index_title
    after update of title on tasks
    for each row
    execute function index_title();
