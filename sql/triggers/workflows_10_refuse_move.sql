-- A change of a workflow's status must be a row of workflow_status_transitions.
create function refuse_workflow_move()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if old.status <> new.status and not exists (
        select from workflow_status_transitions as allowed
        where allowed.old_status = old.status and allowed.new_status = new.status
    ) then
        raise exception using
            errcode = 'TD001',
            message = format('the workflow cannot go from %s to %s', old.status, new.status),
            detail = format('TD001 %s -> %s', old.status, new.status),
            hint = coalesce(
                (
                    select
                        'From here it can go to '
                        || string_agg(allowed.new_status::text, ', ' order by allowed.new_status)
                        || '.'
                    from workflow_status_transitions as allowed
                    where allowed.old_status = old.status
                ),
                'From here it goes nowhere; clone it.'
            );
    end if;
    return new;
end;
$$;

comment on function refuse_workflow_move() is
    'Refuses a transition that is not in workflow_status_transitions.';

create trigger workflows_10_refuse_move
    before update of status on workflows
    for each row
    execute function refuse_workflow_move();
