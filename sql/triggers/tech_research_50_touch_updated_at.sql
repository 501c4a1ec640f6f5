create trigger tech_research_50_touch_updated_at
    before update on tech_research
    for each row
    execute function touch_updated_at();
