create trigger generated_trd_documents_95_refresh_statistics
    after insert on generated_trd_documents
    referencing new table as added
    for each statement
    execute function refresh_statistics();
