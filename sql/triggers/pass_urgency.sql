-- A task whose priority changes, which is given up, or taken up again: what it waits for
-- becomes as urgent, or owes it nothing any more. Claims, completions and failures end in the
-- first line.
create function pass_urgency()
    returns trigger
    language plpgsql
    set search_path from current
    set enable_seqscan = off
as $$
declare
    was_wanted boolean := is_wanted(old.status, old.completed_at);
    awaited uuid[];
    urgency int;
    is_wanted_now boolean;
begin
    if
        old.priority = new.priority
        and was_wanted = is_wanted(new.status, new.completed_at)
    then
        return null;
    end if;

    if new.priority > old.priority then
        perform withdraw_urgency(array[new.id]);
    end if;

    -- (Read anew: another row of the same statement may have changed it since.)
    select
        array_agg(edge.depends_on_id),
        min(task.effective_priority),
        bool_or(is_wanted(task.status, task.completed_at))
    into awaited, urgency, is_wanted_now
    from task_dependencies as edge
    inner join tasks as task on task.id = edge.task_id
    where edge.task_id = new.id and edge.dependency_type <> 'suggests';
    if awaited is null then
        return null;
    end if;

    if is_wanted_now then
        perform spread_urgency(awaited, array_fill(urgency, array[cardinality(awaited)]));
    elsif was_wanted then
        perform withdraw_urgency(awaited);
    end if;
    return null;
end;
$$;

comment on function pass_urgency() is
    'Passes a change of a task''s urgency on to what it waits for.';

create trigger tasks_90_pass_urgency
    after update of priority, status, completed_at on tasks
    for each row
    execute function pass_urgency();
