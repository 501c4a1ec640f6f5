-- Becoming applied changes the codebase, by whatever route. A project that changed since the
-- approval is refused: its version is read again once its row is free.
create function apply_modification()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    update project_contexts as project
    set
        codebase = (
            project.codebase
            - array(
                select file.key
                from jsonb_each(new.modified_files) as file
                where file.value = 'null'
            )
        )
        || jsonb_strip_nulls(new.modified_files)
    where project.id = new.project_id and project.version = new.base_version;
    if not found then
        raise exception using
            errcode = 'TD006',
            message = 'the project changed since the modification was approved',
            detail = format('TD006 version %s', new.base_version),
            hint = 'Read the project again, and request the modification again.';
    end if;
    return null;
end;
$$;

comment on function apply_modification() is
    'Changes the files of the project, unless it changed since.';

create trigger modifications_90_apply
    after update of status on modifications
    for each row
    when (old.status <> new.status and new.status = 'applied')
    execute function apply_modification();
