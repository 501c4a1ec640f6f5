create trigger workflow_steps_95_refresh_statistics
    after insert on workflow_steps
    referencing new table as added
    for each statement
    execute function refresh_statistics();
