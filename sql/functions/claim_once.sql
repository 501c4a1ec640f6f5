-- A repeatable claim: while the claim of a request is live, the same request returns it again.
-- Concurrent calls meet at the unique index: the later waits for the earlier and returns its claim,
-- or fails with 40001 where its snapshot is older.
create function claim_once(
    agent text, agent_type text, lease interval, only_key text, after uuid, request_id uuid
)
    returns table (
        task_id uuid,
        token bigint,
        claimed_by text,
        claimed_at timestamptz,
        lease_expires_at timestamptz,
        key text,
        title text,
        description text,
        priority smallint,
        effective_priority smallint,
        only_agents_of_type text,
        feature_id uuid,
        parent_id uuid,
        estimated_hours numeric,
        requirements jsonb,
        context jsonb,
        metadata jsonb,
        file_path text,
        failed_attempts int,
        place int,
        created_at timestamptz
    )
    language plpgsql
    rows 1
    set search_path from current
as $$
#variable_conflict use_variable
begin
    for look in 1..2 loop
        return query
        select
            task.id,
            task.claim_token,
            task.claim_agent::text,
            task.started_at,
            task.lease_expires_at,
            task.key::text,
            task.title::text,
            details.description,
            task.priority::smallint,
            task.effective_priority::smallint,
            task.agent_type::text,
            details.feature_id,
            details.parent_id,
            details.estimated_hours::numeric,
            details.requirements::jsonb,
            details.context::jsonb,
            details.metadata::jsonb,
            details.file_path::text,
            task.failed_attempts::int,
            task.place,
            task.created_at
        from tasks as task
        inner join task_details as details on details.task_id = task.id
        where task.claim_request_id = request_id;
        if found then
            return;
        end if;

        begin
            return query
            select *
            from claim_tasks(
                agent, agent_type, lease, 1, only_key, after, request_id, is_new_request => true
            );
            return;
        exception
            when unique_violation then
                if current_setting('transaction_isolation') <> 'read committed' then
                    raise exception using
                        errcode = 'serialization_failure',
                        message = 'the same request is answered by another transaction',
                        hint = 'Run the transaction again.';
                end if;
        end;
    end loop;
end;
$$;

comment on function claim_once(text, text, interval, text, uuid, uuid) is
    'Claims a task for a request, or returns the live claim of that request.';
