-- A change of a modification's status must be a row of modification_status_transitions. None is
-- from a status to itself: what is applied is not applied again, with other files.
create function refuse_modification_move()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if not exists (
        select from modification_status_transitions as allowed
        where allowed.old_status = old.status and allowed.new_status = new.status
    ) then
        raise exception using
            errcode = 'TD001',
            message = format('the modification cannot go from %s to %s', old.status, new.status),
            detail = format('TD001 %s -> %s', old.status, new.status),
            hint = coalesce(
                (
                    select
                        'From here it can go to '
                        || string_agg(allowed.new_status::text, ', ' order by allowed.new_status)
                        || '.'
                    from modification_status_transitions as allowed
                    where allowed.old_status = old.status
                ),
                'From here it goes nowhere; ask for another.'
            );
    end if;
    return new;
end;
$$;

comment on function refuse_modification_move() is
    'Refuses a transition that is not in modification_status_transitions.';

create trigger modifications_10_refuse_move
    before update of status on modifications
    for each row
    execute function refuse_modification_move();
