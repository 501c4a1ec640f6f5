create trigger spec_dependencies_95_refresh_statistics
    after insert on spec_dependencies
    referencing new table as added
    for each statement
    execute function refresh_statistics();
