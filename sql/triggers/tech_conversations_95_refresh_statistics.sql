create trigger tech_conversations_95_refresh_statistics
    after insert on tech_conversations
    referencing new table as added
    for each statement
    execute function refresh_statistics();
