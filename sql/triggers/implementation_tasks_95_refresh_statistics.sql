create trigger implementation_tasks_95_refresh_statistics
    after insert on implementation_tasks
    referencing new table as added
    for each statement
    execute function refresh_statistics();
