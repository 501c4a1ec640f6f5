-- Waits for another transaction that answers the same request. Who calls it holds no row yet: the
-- unique index would have it wait as well, but with its rows locked, and for a heartbeat of the
-- request's claim too, which may want one of them.
create function await_request(request_id uuid)
    returns void
    language sql
    volatile
    set search_path from current
as $$
    select pg_advisory_xact_lock(
        hashtextextended(current_schema() || '.claim_request.' || request_id, 0)
    );
$$;

comment on function await_request(uuid) is
    'Waits until no other transaction answers this request of a claim.';

-- A repeatable claim: while the claim of a request is live, the same request returns it again.
-- Concurrent calls take turns. A snapshot that is older than the claim fails with 40001, and does
-- not wait for it (see functions/claim_tasks.sql).
create function claim_once(
    agent text, agent_type text, lease interval, only_key text, after uuid, request_id uuid
)
    returns setof shared.claimed_task
    language plpgsql
    rows 1
    set search_path from current
as $$
#variable_conflict use_variable
begin
    perform await_request(request_id);
    return query
    select
        task.id,
        task.claim_token,
        task.claim_agent::text,
        task.started_at,
        task.lease_expires_at::timestamptz,
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
    exception
        when unique_violation or lock_not_available then
            if current_setting('transaction_isolation') = 'read committed' then
                raise;
            end if;
            raise exception using
                errcode = 'serialization_failure',
                message = 'another transaction answers this request, or has its task locked',
                hint = 'Run the transaction again.';
    end;
end;
$$;

comment on function claim_once(text, text, interval, text, uuid, uuid) is
    'Claims a task for a request, or returns the live claim of that request.';
