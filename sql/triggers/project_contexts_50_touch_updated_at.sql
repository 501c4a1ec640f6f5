create trigger project_contexts_50_touch_updated_at
    before update on project_contexts
    for each row
    execute function touch_updated_at();
