create trigger templates_95_refresh_statistics
    after insert on templates
    referencing new table as added
    for each statement
    execute function refresh_statistics();
