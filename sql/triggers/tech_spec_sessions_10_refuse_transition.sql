-- A change of a session's status must be a row of session_status_transitions. None is from a status
-- to itself: of two agents that start a session, one is refused.
create trigger tech_spec_sessions_10_refuse_transition
    before update of status on tech_spec_sessions
    for each row
    execute function refuse_transition(
        'session_status_transitions', 'the session', 'start another'
    );
