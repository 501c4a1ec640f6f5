create trigger design_outputs_50_touch_updated_at
    before update on design_outputs
    for each row
    execute function touch_updated_at();
