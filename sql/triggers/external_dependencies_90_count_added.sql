-- Counts unhealthy required dependencies at their tasks and workflows, each of them once a
-- statement, whatever the number of its dependencies, in the order of ids. The difference follows
-- from the old and the new rows alone, so no other transaction can make it wrong.
create function count_added_unhealthy()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
as $$
begin
    perform change_unhealthy(change.task_id, change.workflow_id, change.number)
    from (
        select added.task_id, added.workflow_id, count(*)::int as number
        from added
        where added.is_required and added.health = 'unhealthy'
        group by added.task_id, added.workflow_id
        order by added.workflow_id, added.task_id
    ) as change;
    return null;
end;
$$;

comment on function count_added_unhealthy() is
    'Counts new unhealthy dependencies at their tasks and workflows.';

create trigger external_dependencies_90_count_added
    after insert on external_dependencies
    referencing new table as added
    for each statement
    execute function count_added_unhealthy();
