create trigger subtasks_95_refresh_statistics
    after insert on subtasks
    referencing new table as added
    for each statement
    execute function refresh_statistics();
