create trigger external_dependencies_95_refresh_statistics
    after insert on external_dependencies
    referencing new table as added
    for each statement
    execute function refresh_statistics();
