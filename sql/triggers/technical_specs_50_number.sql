-- Numbers a specification created without one: the next number not taken by hand.
create function number_spec()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    while new.spec_number is null loop
        new.spec_number := nextval('technical_spec_number');
        if exists (
            select from technical_specs as spec where spec.spec_number = new.spec_number
        ) then
            new.spec_number := null;
        end if;
    end loop;
    return new;
end;
$$;

comment on function number_spec() is 'Gives a specification without a number the next one.';

create trigger technical_specs_50_number
    before insert on technical_specs
    for each row
    execute function number_spec();
