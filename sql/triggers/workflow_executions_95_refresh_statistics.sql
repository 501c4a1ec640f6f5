create trigger workflow_executions_95_refresh_statistics
    after insert on workflow_executions
    referencing new table as added
    for each statement
    execute function refresh_statistics();
