-- The needs of steps have no cycle. Adding one writes the workflow's row first, so that two
-- sessions which would close a cycle together meet there: at READ COMMITTED the second waits and
-- then sees the first's; at the higher levels it fails with 40001. Executions only read, and share
-- the row among themselves. A cycle through a new need consists of its step and of steps that need
-- it, directly or not: nothing else is read.
create function refuse_step_cycle()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    workflow_ids uuid[];
    step_ids uuid[];
    path text[];
begin
    select
        array_agg(added.workflow_id),
        array_agg(added.step_id)
    into workflow_ids, step_ids
    from added;
    if step_ids is null then
        return null;
    end if;

    perform 1
    from workflows as workflow
    where workflow.id = any(workflow_ids)
    order by workflow.id
    for no key update;
    update workflows as workflow
    set graph_version = workflow.graph_version + 1
    where workflow.id = any(workflow_ids);

    path := step_cycle(
        array(
            with recursive later as (
                select
                    given.workflow_id,
                    given.step_id
                from unnest(workflow_ids, step_ids) as given (workflow_id, step_id)
                union
                -- Lateral, so that each step's dependents are read by the index.
                select
                    need.workflow_id,
                    need.step_id
                from later
                cross join lateral (
                    select
                        found.workflow_id,
                        found.step_id
                    from workflow_step_needs as found
                    where
                        found.workflow_id = later.workflow_id
                        and found.needs_id = later.step_id
                    offset 0
                ) as need
            )

            select later.step_id
            from later
            order by later.step_id
        )
    );
    if path is not null then
        perform raise_circular_dependency(path);
    end if;
    return null;
end;
$$;

comment on function refuse_step_cycle() is 'Refuses steps that need each other in a cycle.';

create trigger workflow_step_needs_60_refuse_cycle
    after insert on workflow_step_needs
    referencing new table as added
    for each statement
    execute function refuse_step_cycle();
