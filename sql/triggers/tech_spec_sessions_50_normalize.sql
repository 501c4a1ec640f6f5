-- The columns that follow from a status, by whatever route: the moment of completion, full
-- progress, and no reason of a failure that is over.
create function normalize_session()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if new.status = 'completed' then
        new.completed_at := coalesce(new.completed_at, now());
        new.progress_percentage := 100;
    else
        new.completed_at := null;
    end if;
    if new.status <> 'failed' then
        new.failure_reason := null;
    end if;
    return new;
end;
$$;

comment on function normalize_session() is
    'Fills in the columns that follow from the status of a session.';

create trigger tech_spec_sessions_50_normalize
    before insert or update of status on tech_spec_sessions
    for each row
    execute function normalize_session();
