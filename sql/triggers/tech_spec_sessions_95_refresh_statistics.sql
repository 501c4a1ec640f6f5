create trigger tech_spec_sessions_95_refresh_statistics
    after insert on tech_spec_sessions
    referencing new table as added
    for each statement
    execute function refresh_statistics();
