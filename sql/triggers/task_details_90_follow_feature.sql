-- A task that moves to another feature is paused as that is.
create function follow_feature()
    returns trigger
    language plpgsql
    set search_path from current
as $$
declare
    is_paused_now boolean;
begin
    if old.feature_id is distinct from new.feature_id and exists (select from claim_pauses) then
        is_paused_now := is_claiming_paused(
            (select task.agent_type from tasks as task where task.id = new.task_id),
            new.feature_id
        );
        update tasks as task
        set is_paused = is_paused_now
        where task.id = new.task_id;
    end if;
    return null;
end;
$$;

comment on function follow_feature() is 'Pauses a task as its new feature is.';

create trigger task_details_90_follow_feature
    after update of feature_id on task_details
    for each row
    execute function follow_feature();
