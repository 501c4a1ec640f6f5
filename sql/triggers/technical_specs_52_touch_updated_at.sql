create trigger technical_specs_52_touch_updated_at
    before update on technical_specs
    for each row
    execute function touch_updated_at();
