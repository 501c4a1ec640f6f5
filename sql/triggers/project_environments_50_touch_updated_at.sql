create trigger project_environments_50_touch_updated_at
    before update on project_environments
    for each row
    execute function touch_updated_at();
