create function refuse_changed_pause()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if
        (old.epic_id, old.feature_id, old.agent_type)
        is distinct from (new.epic_id, new.feature_id, new.agent_type)
    then
        raise exception using
            errcode = 'TD003',
            message = 'the scope of a pause cannot be changed',
            detail = 'TD003 update',
            hint = 'Delete it and insert the other one.';
    end if;
    return new;
end;
$$;

comment on function refuse_changed_pause() is 'Refuses to change the scope of a pause.';

create trigger claim_pauses_10_refuse_change
    before update on claim_pauses
    for each row
    execute function refuse_changed_pause();
