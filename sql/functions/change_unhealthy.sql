-- Counts one more or one less unhealthy dependency at its task, or at its workflow. The workflow's
-- row is locked first, then, if its tasks must follow, they are, in the order of ids.
create function change_unhealthy(of_task uuid, of_workflow uuid, change int)
    returns void
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    old_count int;
begin
    if of_task is not null then
        update tasks as task
        set unhealthy_dependencies = task.unhealthy_dependencies + change
        where task.id = of_task;
        return;
    end if;

    select workflow.unhealthy_dependencies
    into old_count
    from workflows as workflow
    where workflow.id = of_workflow
    for update;
    if (old_count = 0) <> (old_count + change = 0) then
        perform 1
        from tasks as task
        where task.workflow_id = of_workflow
        order by task.id
        for no key update;
    end if;
    update workflows as workflow
    set
        unhealthy_dependencies = workflow.unhealthy_dependencies + change,
        is_healthy = workflow.unhealthy_dependencies + change = 0
    where workflow.id = of_workflow;
end;
$$;

comment on function change_unhealthy(uuid, uuid, int) is
    'Changes the count of unhealthy dependencies of a task or a workflow.';
