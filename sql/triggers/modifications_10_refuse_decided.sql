-- A new modification is pending.
create function refuse_decided_modification()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    raise exception using
        errcode = 'TD001',
        message = format('a modification begins as pending, not %s', new.status),
        detail = format('TD001 -> %s', new.status),
        hint = 'Insert it as pending, then approve it.';
end;
$$;

comment on function refuse_decided_modification() is
    'Refuses a new modification that is not pending.';

create trigger modifications_10_refuse_decided
    before insert on modifications
    for each row
    when (new.status <> 'pending')
    execute function refuse_decided_modification();
