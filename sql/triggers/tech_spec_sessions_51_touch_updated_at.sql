create trigger tech_spec_sessions_51_touch_updated_at
    before update on tech_spec_sessions
    for each row
    execute function touch_updated_at();
