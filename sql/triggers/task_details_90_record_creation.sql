-- A task exists once it has its second row. Then its first history row and its words in task_search
-- are written, a statement at a time; and it is paused if claiming is paused for it.
--
-- A dependency added by the same statement can have changed the status before: then the second
-- history row has the first status. A row that `taskdb doctor --repair` adds in place of a lost one
-- finds its history there, and writes nothing.
create function record_creation()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
    set enable_memoize = off
as $$
declare
    ids uuid[];
    creators text[];
    unverified uuid[];
begin
    -- A load may have given what follows from edges. Whatever became of it since, such a task has
    -- another priority than its own, dependents, or dependencies, counted or not.
    select
        array_agg(created.task_id),
        array_agg(created.created_by),
        array_agg(created.task_id) filter (where task.follows_edges)
    into ids, creators, unverified
    from created
    cross join lateral (
        select
            other.details_follow
            and (
                other.effective_priority <> other.priority
                or other.has_dependents
                or other.open_dependencies <> 0
                or (
                    select true
                    from task_dependencies as edge
                    where edge.task_id = other.id
                    limit 1
                )
            ) as follows_edges
        from tasks as other
        where other.id = created.task_id
        offset 0
    ) as task;
    -- A repair writes no others. ON CONFLICT DO NOTHING would cost a bulk load 7 %.
    if exists (select from task_history as entry where entry.task_id = ids[1] and entry.seq = 1) then
        return null;
    end if;

    if unverified is not null then
        perform verify_precomputed(unverified);
    end if;

    insert into task_history (task_id, seq, new_status, token, agent, created_at)
    with task as (
        select
            new_task.id,
            case new_task.status_seq
                when 1 then new_task.status
                else (
                    select entry.old_status
                    from task_history as entry
                    where entry.task_id = new_task.id and entry.seq = 2
                )
            end as status,
            nullif(new_task.claim_token, 0) as token,
            coalesce(new_task.claim_agent, given.created_by, session_user) as agent,
            -- An importer's claim has its own start, and no row is older than the one before it.
            least(
                clock_timestamp(),
                case
                    when new_task.claim_agent is not null then new_task.started_at
                    when new_task.status_seq > 1
                        then (
                            select entry.created_at
                            from task_history as entry
                            where entry.task_id = new_task.id and entry.seq = 2
                        )
                end
            ) as moment
        from unnest(ids, creators) as given (id, created_by)
        cross join lateral (
            select
                found.id,
                found.status,
                found.status_seq,
                found.claim_token,
                found.claim_agent,
                found.started_at
            from tasks as found
            where found.id = given.id
            offset 0
        ) as new_task
    )

    select task.id, 1, task.status, task.token, task.agent, task.moment
    from task;

    insert into task_search (task_id, title, document)
    with text as (
        select task.id, task.title, details.description
        from unnest(ids) as given (id)
        cross join lateral (
            select found.id, found.title
            from tasks as found
            where found.id = given.id
            offset 0
        ) as task
        cross join lateral (
            select found.description
            from task_details as found
            where found.task_id = given.id
            offset 0
        ) as details
    )

    select text.id, text.title, task_document(text.title, text.description)
    from text;

    perform write_pauses(ids) where any_pauses();
    return null;
end;
$$;

comment on function record_creation() is
    'Writes the first history row and the words of new tasks.';

create trigger task_details_90_record_creation
    after insert on task_details
    referencing new table as created
    for each statement
    execute function record_creation();
