-- The key of the advisory lock that every worker holds, shared, while it waits for a kind of task:
-- an agent type, '*' (workers of no type) or '' (all of them). A lock ends with its session, so a
-- worker that died never counts as waiting.
create function waiting_key(kind text)
    returns bigint
    language sql
    stable
    set search_path from current
as $$
    select hashtextextended(format('taskdb %s: waits for %s', current_schema(), kind), 0)
$$;

comment on function waiting_key(text) is
    'The advisory lock of workers that wait for tasks of an agent type in this workspace.';
