-- Counts unhealthy required dependencies at their task or workflow. One more or one less is always
-- right: it follows from the old and the new row alone, and every change of a count writes it.
create function count_unhealthy()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
as $$
declare
    before_count int := 0;
    after_count int := 0;
begin
    if tg_op <> 'INSERT' then
        before_count := (old.is_required and old.health = 'unhealthy')::int;
    end if;
    if tg_op <> 'DELETE' then
        after_count := (new.is_required and new.health = 'unhealthy')::int;
    end if;

    if
        tg_op = 'UPDATE'
        and (old.task_id, old.workflow_id) is not distinct from (new.task_id, new.workflow_id)
    then
        if after_count <> before_count then
            perform change_unhealthy(new.task_id, new.workflow_id, after_count - before_count);
        end if;
        return null;
    end if;
    if before_count > 0 then
        perform change_unhealthy(old.task_id, old.workflow_id, -1);
    end if;
    if after_count > 0 then
        perform change_unhealthy(new.task_id, new.workflow_id, 1);
    end if;
    return null;
end;
$$;

comment on function count_unhealthy() is
    'Counts unhealthy dependencies at their tasks and workflows.';

create trigger external_dependencies_90_count_unhealthy
    after insert or delete or update of task_id, workflow_id, is_required, health
    on external_dependencies
    for each row
    execute function count_unhealthy();
