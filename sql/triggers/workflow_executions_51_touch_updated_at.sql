create trigger workflow_executions_51_touch_updated_at
    before update on workflow_executions
    for each row
    execute function touch_updated_at();
