create trigger features_95_refresh_statistics
    after insert on features
    referencing new table as added
    for each statement
    execute function refresh_statistics();
