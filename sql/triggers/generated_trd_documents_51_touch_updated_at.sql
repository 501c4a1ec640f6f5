create trigger generated_trd_documents_51_touch_updated_at
    before update on generated_trd_documents
    for each row
    execute function touch_updated_at();
