-- A change of a session's status must be a row of session_status_transitions. None is from a
-- status to itself: of two agents that start a session, one is told.
create function refuse_session_move()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if not exists (
        select from session_status_transitions as allowed
        where allowed.old_status = old.status and allowed.new_status = new.status
    ) then
        raise exception using
            errcode = 'TD001',
            message = format('the session cannot go from %s to %s', old.status, new.status),
            detail = format('TD001 %s -> %s', old.status, new.status),
            hint = coalesce(
                (
                    select
                        'From here it can go to '
                        || string_agg(allowed.new_status::text, ', ' order by allowed.new_status)
                        || '.'
                    from session_status_transitions as allowed
                    where allowed.old_status = old.status
                ),
                'From here it goes nowhere; start another.'
            );
    end if;
    return new;
end;
$$;

comment on function refuse_session_move() is
    'Refuses a transition that is not in session_status_transitions.';

create trigger tech_spec_sessions_10_refuse_move
    before update of status on tech_spec_sessions
    for each row
    execute function refuse_session_move();
