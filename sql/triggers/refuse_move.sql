-- A change of status must be a row of task_status_transitions, or be forced.
create function refuse_move()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if old.status <> new.status and new.status_forced is not true and not exists (
        select from task_status_transitions as allowed
        where allowed.old_status = old.status and allowed.new_status = new.status
    ) then
        raise exception using
            errcode = 'TD001',
            message = format('task %s cannot go from %s to %s', old.key, old.status, new.status),
            detail = format('TD001 %s -> %s', old.status, new.status),
            hint = coalesce(
                (
                    select
                        'From here it can go to '
                        || string_agg(allowed.new_status::text, ', ' order by allowed.new_status)
                        || '; anything else must be forced.'
                    from task_status_transitions as allowed
                    where allowed.old_status = old.status
                ),
                'From here it moves only by force.'
            );
    end if;
    return new;
end;
$$;

comment on function refuse_move() is 'Refuses a move that is not in task_status_transitions.';

-- (A column list costs nothing where a WHEN clause is prepared anew by each statement.)
create trigger tasks_10_refuse_move
    before update of status on tasks
    for each row
    execute function refuse_move();
