-- Takes deleted dependencies out of the counts: see external_dependencies_90_count_added.
create function count_removed_unhealthy()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
as $$
begin
    perform change_unhealthy(change.task_id, change.workflow_id, -change.number)
    from (
        select removed.task_id, removed.workflow_id, count(*)::int as number
        from removed
        where removed.is_required and removed.health = 'unhealthy'
        group by removed.task_id, removed.workflow_id
        order by removed.workflow_id, removed.task_id
    ) as change;
    return null;
end;
$$;

comment on function count_removed_unhealthy() is
    'Takes deleted unhealthy dependencies out of the counts.';

create trigger external_dependencies_90_count_removed
    after delete on external_dependencies
    referencing old table as removed
    for each statement
    execute function count_removed_unhealthy();
