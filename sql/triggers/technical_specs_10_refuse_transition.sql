-- A change of status must be a row of spec_status_transitions.
create trigger technical_specs_10_refuse_transition
    before update of status on technical_specs
    for each row
    when (old.status <> new.status)
    execute function refuse_transition('spec_status_transitions', '', '');
