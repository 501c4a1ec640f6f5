-- A task that moves to another feature is paused exactly if that is.
create function follow_feature()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
as $$
begin
    if old.feature_id is distinct from new.feature_id then
        perform write_pauses(array[new.task_id]) where any_pauses();
    end if;
    return null;
end;
$$;

comment on function follow_feature() is 'Pauses a task as its new feature is.';

create trigger task_details_90_follow_feature
    after update of feature_id on task_details
    for each row
    execute function follow_feature();
