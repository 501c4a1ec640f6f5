create trigger subtasks_50_touch_updated_at
    before update on subtasks
    for each row
    execute function touch_updated_at();
