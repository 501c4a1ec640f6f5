-- The refusals of apply_task_change, apart from it so that it stays readable.
create function raise_invalid_transition(
    task_key text, from_status shared.task_status, to_status shared.task_status
)
    returns void
    language plpgsql
    set search_path from current
as $$
begin
    raise exception using
        errcode = 'TD001',
        message = format('task %s cannot go from %s to %s', task_key, from_status, to_status),
        detail = format('TD001 %s -> %s', from_status, to_status),
        hint = coalesce(
            (
                select
                    'From here it can go to '
                    || string_agg(allowed.new_status::text, ', ' order by allowed.new_status)
                    || '; anything else must be forced.'
                from task_status_transitions as allowed
                where allowed.old_status = from_status
            ),
            'From here it moves only by force.'
        );
end;
$$;

comment on function raise_invalid_transition(text, shared.task_status, shared.task_status) is
    'Raises TD001: a transition that is not in task_status_transitions.';

-- A rule of one task, in the words of a CHECK: callers identify it by the constraint's name.
create function raise_broken_rule(rule text, message text)
    returns void
    language plpgsql
    set search_path from current
as $$
begin
    raise exception using
        errcode = 'check_violation',
        schema = current_schema(),
        table = 'tasks',
        constraint = rule,
        message = message;
end;
$$;

comment on function raise_broken_rule(text, text) is
    'Raises check_violation under the name of a rule of tasks.';
