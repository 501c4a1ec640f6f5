create trigger task_files_50_touch_updated_at
    before update on task_files
    for each row
    execute function touch_updated_at();
