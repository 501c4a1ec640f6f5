-- Imports history of another tracker, the oldest last: each row carries its source, and a trigger
-- numbers it downwards from 0. It is the only way for a role that is not the owner to write
-- history, so it accepts nothing that could pass for a change made here: no token, no number, no
-- future moment, and none that no program can read.
create function import_history(
    from_source text,
    task_ids uuid[],
    old_statuses task_status[],
    new_statuses task_status[],
    agents text[],
    notes text[],
    are_forced boolean[],
    moments timestamptz[]
)
    returns int
    language plpgsql
    security definer
    set search_path from current
as $$
declare
    imported int;
begin
    if from_source is null then
        perform raise_refusal('source', 'must be given for history that is imported');
    elsif clock_timestamp() < any(moments) then
        perform raise_refusal('created_at', 'must not be in the future');
    end if;
    insert into task_history (
        task_id, old_status, new_status, agent, note, forced, source, created_at
    )
    select
        given.task_id,
        given.old_status,
        given.new_status,
        given.agent,
        given.note,
        given.forced,
        from_source,
        given.created_at::shared.moment
    from unnest(task_ids, old_statuses, new_statuses, agents, notes, are_forced, moments)
        with ordinality as given (
            task_id, old_status, new_status, agent, note, forced, created_at, place
        )
    order by given.place;
    get diagnostics imported = row_count;
    return imported;
end;
$$;

comment on function import_history(
    text, uuid[], task_status[], task_status[], text[], text[], boolean[], timestamptz[]
) is
    'Imports history of another tracker; returns the number of rows.';
