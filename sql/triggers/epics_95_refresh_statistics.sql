create trigger epics_95_refresh_statistics
    after insert on epics
    referencing new table as added
    for each statement
    execute function refresh_statistics();
