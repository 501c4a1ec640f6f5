create trigger task_details_90_delete_task
    after delete on task_details
    referencing old table as removed
    for each statement
    execute function delete_task_of();
