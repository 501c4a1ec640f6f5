-- A need is added and removed, never changed, as a dependency between tasks.
create trigger workflow_step_needs_10_refuse_change
    before update on workflow_step_needs
    for each row
    when (
        (old.workflow_id, old.step_id, old.needs_id)
        is distinct from (new.workflow_id, new.step_id, new.needs_id)
    )
    execute function refuse_changed_edge();
