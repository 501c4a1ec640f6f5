-- A change of a modification's status must be a row of modification_status_transitions. None is
-- from a status to itself: an applied one is not applied again, with other files.
create trigger modifications_10_refuse_transition
    before update of status on modifications
    for each row
    execute function refuse_transition(
        'modification_status_transitions', 'the modification', 'ask for another'
    );
