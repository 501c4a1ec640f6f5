create trigger modifications_51_touch_updated_at
    before update on modifications
    for each row
    execute function touch_updated_at();
