-- Returns the agent types of the tasks that this transaction made ready, as a JSON array ("" is
-- every type), if somebody waits for such a task; else null. The client asks with its commit, and
-- sends them in one NOTIFY (queries/events.sql: wake); never a trigger, because triggers run on
-- other nodes. With *everyone* it does not look at what was made ready.
--
-- Somebody waits if the lock of those who wait can't be had. It is let go in the same expression;
-- a second client that tries at this very moment wakes somebody for nothing.
--
-- NOTIFY makes commits queue one behind another, hence only where it is of use. A commit fails
-- where the queue of notifications is full, so from half on nobody is woken: polling finds the
-- task.
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
    'The types of what this transaction made ready, if somebody waits for it.';
