create trigger design_progress_95_refresh_statistics
    after insert on design_progress
    referencing new table as added
    for each statement
    execute function refresh_statistics();
