create trigger project_contexts_95_refresh_statistics
    after insert on project_contexts
    referencing new table as added
    for each statement
    execute function refresh_statistics();
