create trigger workflows_50_touch_updated_at
    before update on workflows
    for each row
    execute function touch_updated_at();
