-- Returns whether a pause covers a task of this type in this feature.
create function is_claiming_paused(of_type text, in_feature uuid)
    returns boolean
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    return any_pauses() and exists (
        select from claim_pauses as pause
        where
            num_nonnulls(pause.epic_id, pause.feature_id, pause.agent_type) = 0
            or pause.agent_type = of_type
            or pause.feature_id = in_feature
            or pause.epic_id = (
                select feature.epic_id from features as feature where feature.id = in_feature
            )
    );
end;
$$;

comment on function is_claiming_paused(text, uuid) is
    'True if claiming is paused for tasks of this agent type in this feature.';

-- Returns whether a pause covers a task, if it is for agents of this type.
create function is_task_paused(of_task uuid, of_type text)
    returns boolean
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    return is_claiming_paused(
        of_type,
        (select details.feature_id from task_details as details where details.task_id = of_task)
    );
end;
$$;

comment on function is_task_paused(uuid, text) is
    'True if claiming is paused for this task, were it for agents of this type.';
