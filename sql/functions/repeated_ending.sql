-- The answer to a repeated ending, as after a lost answer: the claim of this token has ended with
-- this outcome. It takes a snapshot of its own, so it sees an ending that was in progress when the
-- statement began.
create function repeated_ending(of_task uuid, of_token bigint, of_outcome shared.claim_outcome)
    returns table (
        id uuid, key text, status shared.task_status, completed_at timestamptz
    )
    language plpgsql
    strict
    rows 1
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
#variable_conflict use_column
begin
    return query
    select
        task.id,
        task.key::text,
        entry.new_status,
        case when entry.new_status = 'completed' then entry.created_at end
    from tasks as task
    inner join task_history as entry on entry.task_id = task.id
    where
        task.id = of_task
        and entry.token = of_token
        and entry.outcome = of_outcome;
end;
$$;

comment on function repeated_ending(uuid, bigint, shared.claim_outcome) is
    'The end of the claim of this token, if it ended with this outcome.';
