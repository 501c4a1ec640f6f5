-- Counts dependencies that became unhealthy, or are so no longer, or moved: see
-- external_dependencies_90_count_added.
create function count_unhealthy()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
as $$
begin
    perform change_unhealthy(change.task_id, change.workflow_id, change.number)
    from (
        select counted.task_id, counted.workflow_id, sum(counted.number)::int as number
        from (
            select removed.task_id, removed.workflow_id, -1 as number
            from removed
            where removed.is_required and removed.health = 'unhealthy'
            union all
            select added.task_id, added.workflow_id, 1 as number
            from added
            where added.is_required and added.health = 'unhealthy'
        ) as counted
        group by counted.task_id, counted.workflow_id
        having sum(counted.number) <> 0
        order by counted.workflow_id, counted.task_id
    ) as change;
    return null;
end;
$$;

comment on function count_unhealthy() is
    'Counts unhealthy dependencies at their tasks and workflows.';

create trigger external_dependencies_90_count_unhealthy
    after update on external_dependencies
    referencing old table as removed new table as added
    for each statement
    execute function count_unhealthy();
