create trigger design_decisions_95_refresh_statistics
    after insert on design_decisions
    referencing new table as added
    for each statement
    execute function refresh_statistics();
