create trigger tech_research_95_refresh_statistics
    after insert on tech_research
    referencing new table as added
    for each statement
    execute function refresh_statistics();
