create trigger workflow_steps_50_touch_updated_at
    before update on workflow_steps
    for each row
    execute function touch_updated_at();
