-- From now on this session is woken when a task becomes ready for agents of a type, or, without
-- one, of any type: it listens, and holds the locks by which awaited_types finds waiting workers.
-- It also listens to itself, for prove_waiting. False if a lock was being tried at this moment:
-- then nothing wakes it until it calls again.
--
-- A waiting worker searches once more after this, and again a moment later: a client that checked
-- for waiting workers before, and commits after that search, has woken nobody.
create function start_waiting(for_type text)
    returns boolean
    language plpgsql
    set search_path from current
as $$
begin
    execute format('listen %I', ready_channel());
    execute format('listen %I', 'taskdb.proof.' || pg_backend_pid());
    perform pg_advisory_unlock_all();
    return (
        select bool_and(pg_try_advisory_lock_shared(waiting_key(awaited.kind)))
        from unnest(array['', coalesce(for_type, '*')]) as awaited (kind)
    );
end;
$$;

comment on function start_waiting(text) is
    'Listens, and lets awaited_types know that this session waits for tasks of a type.';
