-- The one definition of when a task still passes its urgency on to what it waits for. Only
-- giving up ends that: claims, completions and failures change nothing.
create function is_wanted(status task_status, completed_at timestamptz)
    returns boolean
    language sql
    immutable
    parallel safe
return case status
    when 'cancelled' then false
    when 'archived' then completed_at is not null
    else true
end;

comment on function is_wanted(task_status, timestamptz) is
    'Whether a task has not been given up: neither cancelled, nor archived without completion.';
