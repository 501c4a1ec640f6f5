create trigger workflow_step_needs_95_refresh_statistics
    after insert on workflow_step_needs
    referencing new table as added
    for each statement
    execute function refresh_statistics();
