-- Keeps the first moment at which a specification goes into progress.
create function note_spec_start()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    new.started_at := clock_timestamp();
    return new;
end;
$$;

comment on function note_spec_start() is
    'Records the moment at which a specification first went into progress.';

create trigger technical_specs_50_note_start
    before update of status on technical_specs
    for each row
    when (old.status <> new.status and new.status = 'in_progress' and new.started_at is null)
    execute function note_spec_start();
