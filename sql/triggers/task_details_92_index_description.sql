create function index_description()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    if old.description is distinct from new.description then
        update task_search as text
        set document = task_document(text.title, new.description)
        where text.task_id = new.task_id;
    end if;
    return null;
end;
$$;

comment on function index_description() is
    'Writes the changed description of a task into task_search.';

create trigger task_details_92_index_description
    after update of description on task_details
    for each row
    execute function index_description();
