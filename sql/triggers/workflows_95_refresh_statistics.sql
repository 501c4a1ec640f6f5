create trigger workflows_95_refresh_statistics
    after insert on workflows
    referencing new table as added
    for each statement
    execute function refresh_statistics();
