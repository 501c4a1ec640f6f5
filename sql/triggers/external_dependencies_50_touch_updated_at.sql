create trigger external_dependencies_50_touch_updated_at
    before update on external_dependencies
    for each row
    execute function touch_updated_at();
