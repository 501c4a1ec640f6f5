create trigger features_50_touch_updated_at
    before update on features
    for each row
    execute function touch_updated_at();
