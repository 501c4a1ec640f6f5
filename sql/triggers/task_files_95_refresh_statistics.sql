create trigger task_files_95_refresh_statistics
    after insert on task_files
    referencing new table as added
    for each statement
    execute function refresh_statistics();
