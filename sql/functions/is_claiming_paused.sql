-- Returns whether a pause covers a task of this type in this feature. Each kind of pause is looked
-- up by an index of its own: one condition over all kinds would read every pause.
create function is_claiming_paused(of_type text, in_feature uuid)
    returns boolean
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    return any_pauses() and (
        exists (
            select from claim_pauses as pause
            where pause.epic_id is null and pause.feature_id is null and pause.agent_type is null
        )
        or exists (
            select from claim_pauses as pause
            where pause.epic_id is null and pause.feature_id is null and pause.agent_type = of_type
        )
        or exists (select from claim_pauses as pause where pause.feature_id = in_feature)
        or exists (
            select from claim_pauses as pause
            where
                pause.epic_id = (
                    select feature.epic_id from features as feature where feature.id = in_feature
                )
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
