create trigger design_jobs_95_refresh_statistics
    after insert on design_jobs
    referencing new table as added
    for each statement
    execute function refresh_statistics();
