-- A change of status must be a row of spec_status_transitions. The first time that a
-- specification goes into progress is kept.
create function refuse_spec_move()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if not exists (
        select from spec_status_transitions as allowed
        where allowed.old_status = old.status and allowed.new_status = new.status
    ) then
        raise exception using
            errcode = 'TD001',
            message = format('%s cannot go from %s to %s', old.key, old.status, new.status),
            detail = format('TD001 %s -> %s', old.status, new.status),
            hint = coalesce(
                (
                    select
                        'From here it can go to '
                        || string_agg(allowed.new_status::text, ', ' order by allowed.new_status)
                        || '.'
                    from spec_status_transitions as allowed
                    where allowed.old_status = old.status
                ),
                'From here it goes nowhere.'
            );
    end if;
    if new.status = 'in_progress' and new.started_at is null then
        new.started_at := clock_timestamp();
    end if;
    return new;
end;
$$;

comment on function refuse_spec_move() is
    'Refuses a transition that is not in spec_status_transitions.';

create trigger technical_specs_10_refuse_move
    before update of status on technical_specs
    for each row
    when (old.status <> new.status)
    execute function refuse_spec_move();
