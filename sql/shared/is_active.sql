-- The one definition of when a task still passes its priority on to what it waits for. Only
-- abandoning it ends that: claims, completions and failures change nothing.
create function is_active(status task_status, completed_at timestamptz)
    returns boolean
    language sql
    immutable
    parallel safe
return case status
    when 'cancelled' then false
    when 'archived' then completed_at is not null
    else true
end;

comment on function is_active(task_status, timestamptz) is
    'True if a task is not abandoned: neither cancelled, nor archived without completion.';
