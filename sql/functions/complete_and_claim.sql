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
        next_claim shared.claimed_task
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

    select claimed.*
    into next_claim
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
