create trigger technical_specs_95_refresh_statistics
    after insert on technical_specs
    referencing new table as added
    for each statement
    execute function refresh_statistics();
