create trigger agent_error_logs_50_touch_updated_at
    before update on agent_error_logs
    for each row
    execute function touch_updated_at();
