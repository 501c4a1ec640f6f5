create trigger templates_50_touch_updated_at
    before update on templates
    for each row
    execute function touch_updated_at();
