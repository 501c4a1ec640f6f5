-- Time passes here, and nowhere else: up to *at_most* tasks that are overdue, the longest first.
-- A task whose schedule has passed is due from now on. A claim whose lease is over lapses: its
-- task goes back to pending, or on to blocked or failed, as after any other attempt that failed
-- (apply_task_change).
--
-- Claims call it when the index shows something overdue, with a bound, so that no claim pays for a
-- crowd; and name their lanes when nothing else is left for them: then only tasks that they could
-- take count.
create function pass_time(
    at_most int,
    agents text[] default null,
    types text[] default null,
    only_key text default null
)
    returns int
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
    set enable_bitmapscan = off
as $$
declare
    passed int;
begin
    with lapsed as (
        select task.id
        from tasks as task
        where
            task.lease_expires_at <= now()
            and (
                agents is null
                or (
                    task.reserved_for = any(agents)
                    and (types is null or task.for_type = any(types))
                    and (only_key is null or task.key = only_key)
                    and task.open_dependencies = 0
                    and task.unhealthy_dependencies = 0
                    and task.workflow_is_healthy
                    and not task.is_paused
                    and task.failed_attempts + 1 < task.max_attempts
                )
            )
        order by task.lease_expires_at
        limit at_most
        for no key update skip locked
    ),

    due as (
        select task.id
        from tasks as task
        where
            not task.is_due
            and task.scheduled_at <= now()
            and (
                agents is null
                or (
                    task.reserved_for = any(agents)
                    and (types is null or task.for_type = any(types))
                    and (only_key is null or task.key = only_key)
                    and task.open_dependencies = 0
                    and task.unhealthy_dependencies = 0
                    and task.workflow_is_healthy
                    and not task.is_paused
                    and task.status = 'pending'
                )
            )
        order by task.scheduled_at
        limit at_most
        for no key update skip locked
    )

    update tasks as task
    set
        status = case
            when overdue.has_lapsed and task.status = 'in_progress' then 'pending'
            else task.status
        end,
        status_seq = 0,
        status_agent = 'taskdb',
        status_note = 'the lease of ' || task.claim_agent || ' lapsed',
        status_outcome = case when task.claim_agent is not null then 'lapsed'::claim_outcome end
    from (
        -- A task in progress can have a schedule as well, and goes on when that is due.
        select
            found.id,
            bool_or(found.has_lapsed) as has_lapsed
        from (
            select
                lapsed.id,
                true as has_lapsed
            from lapsed
            union all
            select
                due.id,
                false
            from due
        ) as found
        group by found.id
    ) as overdue
    where task.id = overdue.id;
    get diagnostics passed = row_count;
    return passed;
end;
$$;

comment on function pass_time(int, text[], text[], text) is
    'Makes overdue schedules due and ends lapsed claims, up to a number; returns how many.';
