-- A change of status must be a row of the table's own transitions. The trigger's arguments are the
-- name of that table, the row's name in messages (its key, if nothing), and the hint where no
-- transition leads on.
create function refuse_transition()
    returns trigger
    language plpgsql
    set search_path from current
as $$
declare
    allowed text[];
    subject text := coalesce(nullif(tg_argv[1], ''), to_jsonb(old) ->> 'key');
begin
    -- The text is the same for all rows of a trigger: the typed table to read.
    execute format(
        'select array_agg(allowed.new_status order by allowed.new_status)::text[]'
        ' from %I as allowed where allowed.old_status = $1',
        tg_argv[0]
    )
    into allowed
    using old.status;
    if new.status::text = any (allowed) then
        return new;
    end if;
    raise exception using
        errcode = 'TD001',
        message = format('%s cannot go from %s to %s', subject, old.status, new.status),
        detail = format('TD001 %s -> %s', old.status, new.status),
        hint = coalesce(
            'From here it can go to ' || array_to_string(allowed, ', ') || '.',
            concat_ws('; ', 'From here it goes nowhere', nullif(tg_argv[2], '')) || '.'
        );
end;
$$;

comment on function refuse_transition() is
    'Refuses a transition that is not in the table of transitions that its trigger names.';
