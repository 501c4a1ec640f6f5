-- The one definition of when a dependency will never be satisfied by itself: its blocker has ended,
-- and not as the dependency asks. Only a person can change that.
create function is_dead(
    dependency_type dependency_type,
    blocker_status task_status,
    blocker_completed_at timestamptz
)
    returns boolean
    language sql
    immutable
    parallel safe
return case dependency_type
    when 'blocks' then blocker_status = 'failed'
    when 'suggests' then false
    when 'compensates' then blocker_status in ('completed', 'cancelled', 'archived')
    else
        blocker_status in ('failed', 'cancelled')
        or (blocker_status = 'archived' and blocker_completed_at is null)
end;

comment on function is_dead(dependency_type, task_status, timestamptz) is
    'True if a dependency of this type is never satisfied by itself, given its blocker.';
