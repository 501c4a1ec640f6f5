-- Keeps task_search: the words of new tasks, and of those whose text changes.
create function index_new_text()
    returns trigger
    language plpgsql
    set search_path from current
as $$
declare
    ids uuid[];
begin
    select array_agg(created.id) into ids from created;

    insert into task_search (task_id, title, document)
    with text as (
        select task.id, task.title, task.description
        from tasks as task
        where task.id = any(ids)
    )

    select text.id, text.title, task_document(text.title, text.description)
    from text;
    return null;
end;
$$;

comment on function index_new_text() is 'Writes the words of new tasks into task_search.';

create function index_text()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if
        old.title is distinct from new.title
        or old.description is distinct from new.description
    then
        update task_search
        set title = new.title, document = task_document(new.title, new.description)
        where task_id = new.id;
    end if;
    return null;
end;
$$;

comment on function index_text() is 'Writes the changed words of a task into task_search.';

create trigger tasks_90_index_new_text
    after insert on tasks
    referencing new table as created
    for each statement
    execute function index_new_text();

create trigger tasks_90_index_text
    after update of title, description on tasks
    for each row
    execute function index_text();
