-- The channel on which wake announces the types of tasks that became ready in this workspace. Two
-- workspaces whose long names begin alike share one: then each wakes the other's for nothing.
create function ready_channel()
    returns text
    language sql
    stable
    set search_path from current
as $$
    select left('taskdb.' || current_schema(), 63)
$$;

comment on function ready_channel() is
    'The channel of the notifications that tasks of this workspace became ready.';
