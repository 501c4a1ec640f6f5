-- Completes a task as the holder of its live claim and claims the next one, in one round trip and
-- one commit. They are two statements, so the claim sees what the completion unblocked. A stale
-- token changes nothing, claims nothing, and returns no row.
create function complete_and_claim(
    of_task uuid,
    of_token bigint,
    with_note text,
    for_agent text,
    for_agent_type text,
    for_lease interval,
    after uuid default null,
    request_id uuid default null
)
    returns table (
        id uuid,
        key text,
        status shared.task_status,
        completed_at timestamptz,
        next_task_id uuid,
        next_token bigint,
        next_agent text,
        next_claimed_at timestamptz,
        next_lease_expires_at timestamptz,
        next_key text,
        next_title text,
        next_description text,
        next_priority smallint,
        next_effective_priority smallint,
        next_agent_type text,
        next_feature_id uuid,
        next_parent_id uuid,
        next_estimated_hours numeric,
        next_requirements jsonb,
        next_context jsonb,
        next_metadata jsonb,
        next_file_path text,
        next_failed_attempts int
    )
    language plpgsql
    rows 1
    security definer
    set search_path from current
as $$
#variable_conflict use_column
begin
    if request_id is not null then
        perform await_request(request_id);
    end if;
    update tasks as task
    set
        status_ending = 'completed',
        error_message = null,
        status_agent = task.claim_agent,
        status_note = with_note,
        status_outcome = 'completed'
    where
        task.id = of_task
        and task.claim_token = of_token
        and task.claim_agent is not null
    returning task.id, task.key, task.status, task.completed_at
    into id, key, status, completed_at;
    if not found then
        select repeated.id, repeated.key, repeated.status, repeated.completed_at
        into id, key, status, completed_at
        from repeated_ending(of_task, of_token, 'completed') as repeated;
        if not found then
            return;
        end if;
    end if;

    select
        claimed.task_id,
        claimed.token,
        claimed.claimed_by,
        claimed.claimed_at,
        claimed.lease_expires_at,
        claimed.key,
        claimed.title,
        claimed.description,
        claimed.priority,
        claimed.effective_priority,
        claimed.only_agents_of_type,
        claimed.feature_id,
        claimed.parent_id,
        claimed.estimated_hours,
        claimed.requirements,
        claimed.context,
        claimed.metadata,
        claimed.file_path,
        claimed.failed_attempts
    into
        next_task_id,
        next_token,
        next_agent,
        next_claimed_at,
        next_lease_expires_at,
        next_key,
        next_title,
        next_description,
        next_priority,
        next_effective_priority,
        next_agent_type,
        next_feature_id,
        next_parent_id,
        next_estimated_hours,
        next_requirements,
        next_context,
        next_metadata,
        next_file_path,
        next_failed_attempts
    from claim_tasks(
        for_agent, for_agent_type, for_lease, 1, after => after, request_id => request_id
    ) as claimed;
    return next;
end;
$$;

comment on function complete_and_claim(
    uuid, bigint, text, text, text, interval, uuid, uuid
) is
    'Completes a task and claims the next one for an agent.';
