-- The tasks of a feature that moves to another epic are paused exactly if that is.
create function follow_epic()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    if old.epic_id <> new.epic_id then
        perform write_pauses(array_agg(details.task_id))
        from task_details as details
        where details.feature_id = new.id and any_pauses();
    end if;
    return null;
end;
$$;

comment on function follow_epic() is 'Pauses the tasks of a feature as its new epic is.';

create trigger features_90_follow_epic
    after update of epic_id on features
    for each row
    execute function follow_epic();
