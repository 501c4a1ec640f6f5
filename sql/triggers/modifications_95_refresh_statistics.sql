create trigger modifications_95_refresh_statistics
    after insert on modifications
    referencing new table as added
    for each statement
    execute function refresh_statistics();
