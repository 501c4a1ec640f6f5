-- The row of task_details of a task, with a snapshot of its own: it also finds a task that another
-- transaction created while the statement waited.
create function details_of(of_task uuid)
    returns setof task_details
    language plpgsql
    rows 1
    set search_path from current
as $$
begin
    return query
    select details.* from task_details as details where details.task_id = of_task;
end;
$$;

comment on function details_of(uuid) is 'The details of a task, as of now.';

-- Returns whether a task has its second row: until then it is being made.
create function has_details(of_task uuid)
    returns boolean
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    return exists (select from task_details as details where details.task_id = of_task);
end;
$$;

comment on function has_details(uuid) is 'True if a task has its row of task_details.';

-- Refuses an edit of a task that was edited since the caller read it.
create function require_version(task_key text, present int, expected int)
    returns boolean
    language plpgsql
    set search_path from current
as $$
begin
    if present <> expected then
        raise exception using
            errcode = 'TD006',
            message = format('task %s has changed: it is at version %s', task_key, present),
            detail = format('TD006 version %s', present),
            hint = 'Read it again, and decide again.';
    end if;
    return true;
end;
$$;

comment on function require_version(text, int, int) is
    'True, or TD006 if a task is not at the expected version.';
