-- Returns the agent types of the tasks that this transaction made ready, as a JSON array ("" is
-- every type), if a worker waits for such a task; else null. The client calls it with its commit,
-- and sends them in one NOTIFY (queries/events.sql: wake); never a trigger, because triggers run on
-- other nodes. With *everyone*, tasks made ready do not matter.
--
-- A worker waits if its shared lock cannot be acquired. The lock is released in the same
-- expression; a second client that tries at this very moment wakes a worker for nothing.
--
-- NOTIFY makes commits queue one behind another, hence only where it is of use. A commit fails when
-- the queue of notifications is full, so from half full on it returns null: polling finds the task.
create function awaited_types(everyone boolean)
    returns text
    language plpgsql
    set search_path from current
as $$
declare
    types text[] := case
        when everyone then '{""}'
        else coalesce(nullif(current_setting('taskdb.ready_types', true), ''), '{}')
    end;
begin
    if
        types <> '{}'
        and exists (
            select
            from unnest(case when '' = any(types) then '{""}' else types || '*'::text end)
                as awaited (kind)
            where
                case
                    when pg_try_advisory_lock(waiting_key(awaited.kind))
                        then not pg_advisory_unlock(waiting_key(awaited.kind))
                    else true
                end
        )
        and pg_notification_queue_usage() < 0.5
    then
        return case when octet_length(types::text) < 7000 then to_json(types)::text else '[""]' end;
    end if;
    return null;
end;
$$;

comment on function awaited_types(boolean) is
    'The types of tasks that this transaction made ready, if a worker waits for them.';
