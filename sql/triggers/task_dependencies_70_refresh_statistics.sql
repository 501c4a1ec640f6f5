create trigger task_dependencies_70_refresh_statistics
    after insert on task_dependencies
    referencing new table as added
    for each statement
    execute function refresh_statistics();
