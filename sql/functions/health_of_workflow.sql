-- The health of a workflow, for a task that joins it: the foreign key tasks_workflow_exists refers
-- to the pair, and its cascade keeps the pair the same for all tasks at once, at every isolation
-- level. The lock is the foreign key's own: creators don't wait for each other, only for a change
-- of health. A workflow that does not exist is reported by the foreign key.
create function health_of_workflow(of_workflow uuid)
    returns boolean
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    health boolean;
begin
    select workflow.is_healthy
    into health
    from workflows as workflow
    where workflow.id = of_workflow
    for key share;
    return coalesce(health, true);
end;
$$;

comment on function health_of_workflow(uuid) is 'True if a workflow is healthy, or does not exist.';
