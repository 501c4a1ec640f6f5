-- A feature's key begins with its epic's.
create function refuse_foreign_feature_key()
    returns trigger
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    epic_key text;
begin
    select epics.key into epic_key from epics where epics.id = new.epic_id;
    if split_part(new.key, '-', 1) <> epic_key then
        raise exception using
            errcode = 'TD005',
            message = format('feature %s belongs to epic %s', new.key, epic_key),
            detail = 'TD005 key: must be the key of its epic, a hyphen, F and a number',
            hint = format('Name it %s-F01 or so.', epic_key);
    end if;
    return new;
end;
$$;

comment on function refuse_foreign_feature_key() is
    'Refuses a feature whose key does not begin with its epic''s.';

create trigger features_10_refuse_foreign_key
    before insert or update of key, epic_id on features
    for each row
    execute function refuse_foreign_feature_key();
