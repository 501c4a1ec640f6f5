create trigger execution_steps_95_refresh_statistics
    after insert on execution_steps
    referencing new table as added
    for each statement
    execute function refresh_statistics();
