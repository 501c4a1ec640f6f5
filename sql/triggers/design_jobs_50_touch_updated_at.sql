create trigger design_jobs_50_touch_updated_at
    before update on design_jobs
    for each row
    execute function touch_updated_at();
