-- The one definition of when a dependency no longer holds its task back.
create function is_satisfied(
    dependency_type dependency_type,
    blocker_status task_status,
    blocker_completed_at timestamptz
)
    returns boolean
    language sql
    immutable
    parallel safe
return case dependency_type
    when 'requires' then
        blocker_status = 'completed'
        or (blocker_status = 'archived' and blocker_completed_at is not null)
    when 'blocks' then blocker_status in ('completed', 'cancelled', 'archived')
    when 'cancelled_with' then
        blocker_status = 'completed'
        or (blocker_status = 'archived' and blocker_completed_at is not null)
    when 'compensates' then blocker_status = 'failed'
    else true
end;

comment on function is_satisfied(dependency_type, task_status, timestamptz) is
    'True if a dependency of this type is satisfied by the status of its blocker.';
