create trigger agent_error_logs_95_refresh_statistics
    after insert on agent_error_logs
    referencing new table as added
    for each statement
    execute function refresh_statistics();
