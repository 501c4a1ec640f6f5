create trigger epics_50_touch_updated_at
    before update on epics
    for each row
    execute function touch_updated_at();
