-- The rows of new tasks in these tables are written by task_details_90_record_creation.
create trigger task_details_95_refresh_statistics
    after insert on task_details
    referencing new table as added
    for each statement
    execute function refresh_statistics('task_history', 'task_search');
