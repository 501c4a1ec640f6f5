-- Claims up to *at_most* tasks for an agent, in the order of the claim: effective priority, place,
-- creation, id. With *only_key* the task of that key, if it can be claimed by this agent.
--
-- Each lane (reserved for me or for nobody; of my type or of none) is one range of one index, read
-- in order; the lanes are merged, and nothing is read past the last task taken. Agents without a
-- type take every type: their lanes are ranges of a second index, and where nothing is reserved
-- for them there is only one, which needs no merging. The next task in line is locked unless
-- another session has it (skip locked), and read again if it changed in between. The planner may
-- neither sort nor scan here, so the plan is the same for one ready task and for a million, with
-- fresh statistics, stale ones and none.
--
-- A task found by id or key must be `is_ready is not false`: no index of ready tasks serves that
-- condition, while plans made when few tasks were ready read all of them for `is_ready`.
-- tests/costs/test_claim_plan.py
--
-- A task with files is taken with all of its files, or passed over, also if another claim is taking
-- one of them at this very moment (try_files). Under REPEATABLE READ and above the snapshot is
-- fixed, so files locked since are found only by that attempt.
--
-- So is a task of a concurrency key without a free slot, and with it those of the next two hundred
-- in line that have the same key leave it (functions/offer_slots.sql).
--
-- A claim without an agent is refused: it would begin tasks that no claim holds and nobody can end.
-- So is one without a number: it would take the whole queue.
--
-- A task without its second row, which was announced and never came, is given one, and claimed by
-- the next claim: else every claim would meet it first, and begin nothing.
--
-- *after* names a task claimed a moment ago: the search begins behind it. A reader with an old
-- snapshot keeps the index entries of claimed tasks alive, thousands of them at the head of the
-- queue; from there they cost nothing. More urgent tasks that arrived since are found by the next
-- claim without *after*; and where nothing is found behind it, the search begins at the head.
--
-- *request_id* makes a claim repeatable: while its claim is live, the same request gets it again.
-- Time passes first, where the index shows something overdue: two tasks a claim, and two more for
-- each further one. Their rows stay locked, so from there on a claim waits for no other row, and
-- the task of *only_key* is locked before them: a set of endings that holds it and waits for one of
-- them would deadlock with this.
create function claim_tasks(
    agent text,
    agent_type text,
    lease interval,
    at_most int,
    only_key text default null,
    after uuid default null,
    request_id uuid default null,
    is_new_request boolean default false
)
    returns setof shared.claimed_task
    language plpgsql
    rows 1
    security definer
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
    set enable_bitmapscan = off
    set enable_sort = off
as $$
declare
    anybody constant text := '';
    -- No priority is 0, so the place behind it is not looked at.
    bound_priority smallint := 0;
    bound_place int;
    bound_created timestamptz;
    bound_id uuid;
    is_overdue boolean;
    has_lanes boolean;
    is_second_look boolean;
    ids uuid[];
    any_bound boolean;
    refused uuid[] := '{}';
    has_slots boolean;
    wanted int;
    full_keys text[];
    found_full text[];
    met uuid[];
    got uuid[];
    taken uuid[];
    last_id uuid;
    lock_timeout text;
    begun int;
begin
    if (request_id is not null and not is_new_request) or agent is null or at_most is null then
        if agent is null then
            perform raise_refusal('agent', 'must be given');
        elsif at_most is null then
            perform raise_refusal('at_most', 'must be given');
        end if;
        return query select * from claim_once(agent, agent_type, lease, only_key, after, request_id);
        return;
    end if;
    if after is not null then
        select task.effective_priority, task.place, task.created_at, task.id
        into bound_priority, bound_place, bound_created, bound_id
        from tasks as task
        where task.id = after;
    end if;
    select
        exists (select from tasks as task where task.lease_expires_at <= now())
        or exists (
            select from tasks as task where not task.is_due and task.scheduled_at <= now()
        ),
        -- Where no key was ever used this costs the look at the size of a file, and no plan.
        pg_relation_size('concurrency_slots') > 0,
        claim_tasks.agent_type is not null
        or exists (
            select from tasks as task
            where
                task.is_ready
                and task.unhealthy_dependencies = 0
                and task.reserved_for = claim_tasks.agent
        )
    into is_overdue, has_slots, has_lanes;
    if is_overdue or has_slots then
        if only_key is not null then
            perform from tasks as task where task.key = only_key for no key update;
        end if;
        if is_overdue then
            perform pass_time(2 * at_most);
        end if;
        perform offer_slots(at_most) where has_slots;
        -- A lapsed task can be reserved for this agent.
        has_lanes := true;
    end if;

    loop
        if only_key is not null then
            select array_agg(candidate.id), bool_or(candidate.is_bound)
            into ids, any_bound
            from (
                select task.id, task.has_files or task.concurrency_key is not null as is_bound
                from tasks as task
                where
                    task.key = only_key
                    and (task.is_ready is not false or task.waits_for_slot)
                    and task.reserved_for = any(array[anybody, claim_tasks.agent])
                    and (not task.has_files or task.id <> all(refused))
                for no key update
            ) as candidate;
        elsif not has_lanes then
            select array_agg(candidate.id), bool_or(candidate.is_bound)
            into ids, any_bound
            from (
                select task.id, task.has_files or task.concurrency_key is not null as is_bound
                from tasks as task
                where
                    task.is_ready
                    and task.unhealthy_dependencies = 0
                    and task.reserved_for = anybody
                    and (task.effective_priority, task.place, task.created_at, task.id)
                    > (bound_priority, bound_place, bound_created, bound_id)
                    and (
                        not task.has_files
                        or (task.id <> all(refused) and not files_are_locked(task.id))
                    )
                    and (
                        task.concurrency_key is null
                        or full_keys is null
                        or task.concurrency_key <> all(full_keys)
                    )
                order by task.effective_priority, task.place, task.created_at, task.id
                limit coalesce(wanted, at_most)
                for no key update skip locked
            ) as candidate;
        elsif agent_type is null then
            select array_agg(candidate.id), bool_or(candidate.is_bound)
            into ids, any_bound
            from (
                select task.id, task.has_files or task.concurrency_key is not null as is_bound
                from (
                    (
                        select task.id, task.effective_priority, task.place, task.created_at
                        from tasks as task
                        where
                            task.is_ready
                            and task.unhealthy_dependencies = 0
                            and task.reserved_for = anybody
                            and (task.effective_priority, task.place, task.created_at, task.id)
                            > (bound_priority, bound_place, bound_created, bound_id)
                            and (
                                not task.has_files
                                or (task.id <> all(refused) and not files_are_locked(task.id))
                            )
                            and (
                                task.concurrency_key is null
                                or full_keys is null
                                or task.concurrency_key <> all(full_keys)
                            )
                        order by task.effective_priority, task.place, task.created_at, task.id
                    )
                    union all
                    (
                        select task.id, task.effective_priority, task.place, task.created_at
                        from tasks as task
                        where
                            task.is_ready
                            and task.unhealthy_dependencies = 0
                            and task.reserved_for = claim_tasks.agent
                            and (task.effective_priority, task.place, task.created_at, task.id)
                            > (bound_priority, bound_place, bound_created, bound_id)
                            and (
                                not task.has_files
                                or (task.id <> all(refused) and not files_are_locked(task.id))
                            )
                            and (
                                task.concurrency_key is null
                                or full_keys is null
                                or task.concurrency_key <> all(full_keys)
                            )
                        order by task.effective_priority, task.place, task.created_at, task.id
                    )
                    order by effective_priority, place, created_at, id
                ) as found
                inner join tasks as task
                    on
                        task.id = any(array[found.id])
                        and task.is_ready is not false
                        and task.reserved_for = any(array[anybody, claim_tasks.agent])
                order by found.effective_priority, found.place, found.created_at, found.id
                limit coalesce(wanted, at_most)
                for no key update of task skip locked
            ) as candidate;
        else
            select array_agg(candidate.id), bool_or(candidate.is_bound)
            into ids, any_bound
            from (
                select task.id, task.has_files or task.concurrency_key is not null as is_bound
                from (
                    (
                        select task.id, task.effective_priority, task.place, task.created_at
                        from tasks as task
                        where
                            task.is_ready
                            and task.reserved_for = anybody
                            and task.for_type = anybody
                            and (task.effective_priority, task.place, task.created_at, task.id)
                            > (bound_priority, bound_place, bound_created, bound_id)
                            and (
                                not task.has_files
                                or (task.id <> all(refused) and not files_are_locked(task.id))
                            )
                            and (
                                task.concurrency_key is null
                                or full_keys is null
                                or task.concurrency_key <> all(full_keys)
                            )
                        order by task.effective_priority, task.place, task.created_at, task.id
                    )
                    union all
                    (
                        select task.id, task.effective_priority, task.place, task.created_at
                        from tasks as task
                        where
                            task.is_ready
                            and task.reserved_for = anybody
                            and task.for_type = claim_tasks.agent_type
                            and (task.effective_priority, task.place, task.created_at, task.id)
                            > (bound_priority, bound_place, bound_created, bound_id)
                            and (
                                not task.has_files
                                or (task.id <> all(refused) and not files_are_locked(task.id))
                            )
                            and (
                                task.concurrency_key is null
                                or full_keys is null
                                or task.concurrency_key <> all(full_keys)
                            )
                        order by task.effective_priority, task.place, task.created_at, task.id
                    )
                    union all
                    (
                        select task.id, task.effective_priority, task.place, task.created_at
                        from tasks as task
                        where
                            task.is_ready
                            and task.reserved_for = claim_tasks.agent
                            and task.for_type = anybody
                            and (task.effective_priority, task.place, task.created_at, task.id)
                            > (bound_priority, bound_place, bound_created, bound_id)
                            and (
                                not task.has_files
                                or (task.id <> all(refused) and not files_are_locked(task.id))
                            )
                            and (
                                task.concurrency_key is null
                                or full_keys is null
                                or task.concurrency_key <> all(full_keys)
                            )
                        order by task.effective_priority, task.place, task.created_at, task.id
                    )
                    union all
                    (
                        select task.id, task.effective_priority, task.place, task.created_at
                        from tasks as task
                        where
                            task.is_ready
                            and task.reserved_for = claim_tasks.agent
                            and task.for_type = claim_tasks.agent_type
                            and (task.effective_priority, task.place, task.created_at, task.id)
                            > (bound_priority, bound_place, bound_created, bound_id)
                            and (
                                not task.has_files
                                or (task.id <> all(refused) and not files_are_locked(task.id))
                            )
                            and (
                                task.concurrency_key is null
                                or full_keys is null
                                or task.concurrency_key <> all(full_keys)
                            )
                        order by task.effective_priority, task.place, task.created_at, task.id
                    )
                    order by effective_priority, place, created_at, id
                ) as found
                inner join tasks as task
                    on
                        task.id = any(array[found.id])
                        and task.is_ready is not false
                        and task.reserved_for = any(array[anybody, claim_tasks.agent])
                        and task.for_type = any(array[anybody, claim_tasks.agent_type])
                order by found.effective_priority, found.place, found.created_at, found.id
                limit coalesce(wanted, at_most)
                for no key update of task skip locked
            ) as candidate;
        end if;

        -- Plain tasks need nothing but their rows.
        exit when ids is not null and not any_bound and taken is null;
        if any_bound or taken is not null then
            -- A concurrent claim of the same file or slot wins; then the next in line is tried.
            if any_bound then
                last_id := ids[cardinality(ids)];
                select
                    array_agg(line.id order by line.place) filter (where line.is_taken),
                    refused || array_agg(line.id) filter (where not line.is_taken),
                    array_agg(line.concurrency_key) filter (where line.is_taken is null),
                    array_agg(line.id) filter (where line.is_taken is null)
                into got, refused, found_full, met
                from (
                    select
                        task.id,
                        given.place,
                        task.concurrency_key::text as concurrency_key,
                        take_needs(task.id, task.concurrency_key, task.has_files) as is_taken
                    from unnest(ids) with ordinality as given (id, place)
                    inner join tasks as task on task.id = given.id
                ) as line;
                taken := taken || got;
                wanted := at_most - coalesce(cardinality(taken), 0);
                if found_full is not null then
                    full_keys := full_keys || found_full;
                    perform set_aside(of_full.key, of_full.id)
                    from unnest(found_full, met) as of_full (key, id);
                end if;
                if
                    wanted > 0
                    and only_key is null
                    and coalesce(cardinality(got), 0) < cardinality(ids)
                then
                    select task.effective_priority, task.place, task.created_at, task.id
                    into bound_priority, bound_place, bound_created, bound_id
                    from tasks as task
                    where task.id = last_id;
                    continue;
                end if;
                ids := null;
            end if;
            ids := taken || ids;
        end if;
        exit when ids is not null or is_second_look;
        is_second_look := true;
        exit when after is null and not is_overdue and not has_slots;
        bound_priority := 0;
        if is_overdue then
            perform pass_time(
                100,
                array[anybody, agent],
                case when agent_type is not null then array[anybody, agent_type] end,
                only_key
            );
        end if;
        perform offer_slots(100, 100) where has_slots;
    end loop;

    -- The claim of this request may be newer than the snapshot, and a heartbeat may hold it, for
    -- which the unique index would wait. All that this statement writes is locked.
    if is_new_request and current_setting('transaction_isolation') <> 'read committed' then
        lock_timeout := current_setting('lock_timeout');
        perform set_config('lock_timeout', '1ms', true);
    end if;
    return query
    update tasks as task
    set
        status = 'in_progress',
        status_agent = agent,
        claim_agent = agent,
        claim_request_id = request_id,
        lease_expires_at = now() + lease
    from task_details as details
    where task.id = any(ids) and details.task_id = task.id
    returning
        task.id,
        task.claim_token,
        task.claim_agent::text,
        now(),
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
        task.created_at;
    get diagnostics begun = row_count;
    if begun < cardinality(ids) or lock_timeout is not null then
        perform add_details_of(ids) where begun < cardinality(ids);
        perform set_config('lock_timeout', lock_timeout, true) where lock_timeout is not null;
    end if;
end;
$$;

comment on function claim_tasks(text, text, interval, int, text, uuid, uuid, boolean) is
    'Claims up to a number of tasks for an agent, in the order of the claim.';
