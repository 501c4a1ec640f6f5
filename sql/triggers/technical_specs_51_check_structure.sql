-- The structure of a hierarchical specification is what it should be, or is refused with the
-- phase that is not:
--   overview, architecture, technology_stack   texts, if there
--   phases     a list of at least one object, each with
--     number       0 to 9,999, each once; without it, its place in the list
--     name         a text of 1 to 200 characters, each once
--     description, content   texts, if there
--     hours        a number, not negative, if there
--     files        a list of texts, if there: what its task may change
-- A constraint could refuse as much, and would not say why.
create function check_structure()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
as $$
declare
    phases jsonb;
    phase jsonb;
    field text;
    numbers int[] := '{}';
    names text[] := '{}';
begin
    if jsonb_typeof(new.structure) is distinct from 'object' then
        -- Null, or a constraint refuses it.
        if new.phase is not null then
            perform raise_refusal('phase', 'must be null unless there are phases');
        end if;
        return new;
    end if;
    foreach field in array array['overview', 'architecture', 'technology_stack'] loop
        if jsonb_typeof(new.structure -> field) not in ('string', 'null') then
            perform raise_refusal('structure.' || field, 'must be text');
        end if;
    end loop;

    phases := new.structure -> 'phases';
    if jsonb_typeof(phases) is distinct from 'array' or jsonb_array_length(phases) = 0 then
        perform raise_refusal('structure.phases', 'must be a list of at least one phase');
    end if;
    for place in 0..jsonb_array_length(phases) - 1 loop
        phase := phases -> place;
        field := format('structure.phases[%s]', place);
        if jsonb_typeof(phase) <> 'object' then
            perform raise_refusal(field, 'must be an object');
        end if;
        if not phase ? 'number' then
            phase := jsonb_set(phase, '{number}', to_jsonb(place + 1));
            new.structure := jsonb_set(
                new.structure, array['phases', place::text, 'number'], to_jsonb(place + 1)
            );
        end if;
        perform check_phase(field, phase);
        if (phase ->> 'number')::int = any(numbers) then
            perform raise_refusal(field || '.number', 'must be unique among the phases');
        elsif phase ->> 'name' = any(names) then
            perform raise_refusal(field || '.name', 'must be unique among the phases');
        end if;
        numbers := numbers || (phase ->> 'number')::int;
        names := names || (phase ->> 'name');
    end loop;
    if new.phase <> all(numbers) then
        perform raise_refusal('phase', 'must be the number of one of the phases');
    end if;
    return new;
end;
$$;

comment on function check_structure() is
    'Refuses a structure that breaks a rule, and numbers phases without a number.';

-- An insert has no column list to wait for; an update may leave both alone.
create trigger technical_specs_51_check_structure
    before insert or update of structure, phase on technical_specs
    for each row
    execute function check_structure();
