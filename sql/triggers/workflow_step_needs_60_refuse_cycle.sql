-- The needs of steps have no cycle. Adding one writes the workflow's row first, so that two
-- sessions which would close a cycle together meet there: at READ COMMITTED the second waits and
-- then sees the first's; at the higher levels it fails with 40001. Executions only read, and share
-- the row among themselves.
create function refuse_step_cycle()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    ids uuid[];
    id uuid;
    path text[];
begin
    select array_agg(distinct added.workflow_id) into ids from added;
    if ids is null then
        return null;
    end if;

    perform 1
    from workflows as workflow
    where workflow.id = any(ids)
    order by workflow.id
    for no key update;
    update workflows as workflow
    set graph_version = workflow.graph_version + 1
    where workflow.id = any(ids);

    foreach id in array ids loop
        path := step_cycle(id);
        if path is not null then
            perform raise_circular_dependency(path);
        end if;
    end loop;
    return null;
end;
$$;

comment on function refuse_step_cycle() is 'Refuses steps that need each other in a cycle.';

create trigger workflow_step_needs_60_refuse_cycle
    after insert on workflow_step_needs
    referencing new table as added
    for each statement
    execute function refuse_step_cycle();
