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
as $$
declare
    ids uuid[];
begin
    select array_agg(created.task_id) into ids from created;
    -- A repair writes no others. ON CONFLICT DO NOTHING would cost a bulk load 7 %.
    if exists (select from task_history as entry where entry.task_id = ids[1] and entry.seq = 1) then
        return null;
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
            coalesce(new_task.claim_agent, details.created_by, session_user) as agent,
            -- An importer's claim has its own start.
            least(
                clock_timestamp(),
                case when new_task.claim_agent is not null then new_task.started_at end
            ) as moment
        from tasks as new_task
        inner join task_details as details on details.task_id = new_task.id
        where new_task.id = any(ids)
    )

    select task.id, 1, task.status, task.token, task.agent, task.moment
    from task;

    insert into task_search (task_id, title, document)
    with text as (
        select task.id, task.title, details.description
        from tasks as task
        inner join task_details as details on details.task_id = task.id
        where task.id = any(ids)
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
