-- The history of each task as stays in a status, in order: imported rows first, by their own
-- times, then the recorded ones by their numbers.
--
-- Clocks may be wrong, and imported times tie or run backwards. A row that claims to be earlier
-- than one before it counts as at that one's moment, and is flagged skewed; so no stay is negative,
-- and stays add up to the time between the first and the last. A file may be older than its first
-- import: earlier times that a later import brings move the creation back.
--
-- The lateral part lets a query that names tasks read only their rows.
create view task_stays as
select
    task.id as task_id,
    stay.position,
    stay.previous_status,
    stay.status,
    stay.agent,
    stay.note,
    stay.is_transition,
    stay.is_done,
    stay.entered_at,
    stay.left_at,
    stay.skewed
from tasks as task
cross join lateral (
    select
        stay.position,
        lag(stay.status) over in_order as previous_status,
        stay.status,
        stay.agent,
        stay.note,
        stay.is_transition,
        -- The last stay so far that was not in the archive: twice its number, and one more
        -- if it was completed.
        max(2 * stay.position + cast(stay.status = 'completed' as int))
            filter (where stay.status <> 'archived')
            over in_order
        % 2 = 1 as is_done,
        stay.entered_at,
        lead(stay.entered_at) over in_order as left_at,
        stay.stated_at < stay.entered_at as skewed
    from (
        select
            row_number() over in_order as position,
            reported.status,
            reported.agent,
            reported.note,
            reported.is_transition,
            reported.stated_at,
            max(reported.stated_at) over in_order as entered_at
        from (
            select
                entry.seq,
                entry.new_status as status,
                entry.agent,
                entry.note,
                entry.old_status is not null as is_transition,
                case
                    when entry.seq = 1
                        then least(
                            entry.created_at,
                            min(entry.created_at)
                                filter (where entry.seq > 1 and entry.source is not null)
                                over ()
                        )
                    else entry.created_at
                end as stated_at
            from task_history as entry
            where entry.task_id = task.id
        ) as reported
        window in_order as (
            order by greatest(reported.seq, 0), reported.stated_at, reported.seq desc
        )
    ) as stay
    window in_order as (order by stay.position)
) as stay;

comment on view task_stays is
    'The history of each task as stays in a status, in order: imported rows by their times, '
    'then the recorded ones by their numbers.';
comment on column task_stays.position is 'Counts a task''s stays from 1.';
comment on column task_stays.previous_status is 'Previous status; null for the first stay.';
comment on column task_stays.is_transition is
    'True: a transition led to it. False: the task was created in it, or an importer found it so.';
comment on column task_stays.is_done is
    'Its work counts as done: completed, or archived after that.';
comment on column task_stays.entered_at is
    'The start of the stay: the row''s own time, or that of a row before it, if that is later.';
comment on column task_stays.left_at is 'The start of the next stay; null: it lasts.';
comment on column task_stays.skewed is 'The row claims to be earlier than one before it.';
