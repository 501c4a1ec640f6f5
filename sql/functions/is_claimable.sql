-- Returns whether the next claim can take a task. A function, so that a query which asks it of a
-- few tasks does not open the plan of the view, which is most of what such a query costs.
create function is_claimable(of_task uuid)
    returns boolean
    language plpgsql
    stable
    set search_path from current
as $$
begin
    return exists (select from ready_tasks as ready where ready.id = of_task);
end;
$$;

comment on function is_claimable(uuid) is 'True if ready_tasks has the task.';
