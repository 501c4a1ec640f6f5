-- A task of a workflow carries the workflow's health: the foreign key tasks_workflow_exists
-- refers to the pair, and its cascade keeps the pair the same for all tasks at once, at every
-- isolation level. This fills it in where a task comes to a workflow, or leaves it. The lock is
-- the foreign key's own: creators don't wait for each other, only a change of health does.
create function follow_workflow()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if tg_op = 'INSERT' then
        new.unhealthy_dependencies := 0;
    end if;
    if new.workflow_id is null then
        new.workflow_is_healthy := true;
    elsif tg_op = 'INSERT' or new.workflow_id is distinct from old.workflow_id then
        select workflow.is_healthy
        into new.workflow_is_healthy
        from workflows as workflow
        where workflow.id = new.workflow_id
        for key share;
        -- (Of a workflow that is not there the foreign key tells.)
        new.workflow_is_healthy := coalesce(new.workflow_is_healthy, true);
    end if;
    return new;
end;
$$;

comment on function follow_workflow() is 'Fills in the health of a task''s workflow.';

create trigger tasks_52_follow_workflow
    before insert or update of workflow_id on tasks
    for each row
    execute function follow_workflow();
