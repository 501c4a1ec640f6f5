create trigger design_outputs_95_refresh_statistics
    after insert on design_outputs
    referencing new table as added
    for each statement
    execute function refresh_statistics();
