-- Detaches the tasks of a deleted workflow first, before any foreign key acts.
--
-- The keys would do it, each for its own column and in the order of their triggers' names, which
-- differs in a database restored from a dump. An execution deleted first would change tasks whose
-- workflow is gone by then, and for a task created in the same transaction the server checks that
-- key too.
create function let_tasks_of_workflow_go()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    update tasks as task
    set
        workflow_id = null,
        workflow_execution_id = null
    where task.workflow_id = old.id;
    return old;
end;
$$;

comment on function let_tasks_of_workflow_go() is
    'Detaches the tasks of a workflow before it is deleted.';

create trigger workflows_50_let_tasks_go
    before delete on workflows
    for each row
    execute function let_tasks_of_workflow_go();
