create function count_transition_removal()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
as $$
begin
    perform nextval('task_status_transition_removals');
    return null;
end;
$$;

comment on function count_transition_removal() is
    'Notes that a transition was forbidden, so that all are looked up from now on.';

create trigger task_status_transitions_90_count_removal
    after update or delete or truncate on task_status_transitions
    for each statement
    execute function count_transition_removal();
