-- Refuses a phase that breaks a rule; *place* names the phase.
create function check_phase(place text, phase jsonb)
    returns void
    language plpgsql
    immutable
    set search_path from current
as $$
declare
    field text;
begin
    if jsonb_typeof(phase -> 'number') <> 'number'
        or (phase ->> 'number') !~ '^[0-9]{1,4}$' then
        perform raise_refusal(place || '.number', 'must be a whole number from 0 to 9999');
    elsif jsonb_typeof(phase -> 'name') is distinct from 'string'
        or length(phase ->> 'name') not between 1 and 200 then
        perform raise_refusal(place || '.name', 'must be text of 1 to 200 characters');
    elsif jsonb_typeof(phase -> 'hours') not in ('number', 'null') then
        perform raise_refusal(place || '.hours', 'must be a number');
    elsif (phase ->> 'hours')::numeric not between 0 and 999999 then
        perform raise_refusal(place || '.hours', 'must be from 0 to 999999');
    end if;
    foreach field in array array['description', 'content'] loop
        if jsonb_typeof(phase -> field) not in ('string', 'null') then
            perform raise_refusal(place || '.' || field, 'must be text');
        end if;
    end loop;
    if jsonb_typeof(phase -> 'files') not in ('array', 'null')
        or phase @? '$.files[*] ? (@.type() != "string")' then
        perform raise_refusal(place || '.files', 'must be a list of texts');
    end if;
end;
$$;

comment on function check_phase(text, jsonb) is
    'Raises TD005 for the first rule that a phase breaks.';
