-- Every change of a project raises its version, whatever the statement sets.
create function count_version()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    new.version := old.version + 1;
    return new;
end;
$$;

comment on function count_version() is 'Counts the changes of a row.';

create trigger project_contexts_51_count_version
    before update on project_contexts
    for each row
    execute function count_version();
