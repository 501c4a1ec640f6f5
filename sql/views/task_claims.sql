-- Claims, from history: a claim is one attempt of one agent at one task. Its first row carries its
-- token; the next row of the task ends it.
create view task_claims as
select
    beginning.task_id,
    beginning.token,
    beginning.agent,
    beginning.created_at as claimed_at,
    case when ending.seq is null then task.lease_expires_at end as lease_expires_at,
    ending.outcome,
    ending.created_at as ended_at,
    ending.note,
    case when ending.seq is null then task.progress_pct else ending.progress_pct end
        as progress_pct,
    case when ending.seq is null then task.progress_note else ending.progress_note end
        as progress_note
from task_history as beginning
inner join tasks as task on task.id = beginning.task_id
left join task_history as ending
    on ending.task_id = beginning.task_id and ending.seq = beginning.seq + 1
where beginning.new_status = 'in_progress' and beginning.token is not null;

comment on view task_claims is
    'Claims: their agents, and their ends. outcome is null while one is live.';
comment on column task_claims.token is
    'The fencing token: the holder names it with every write, and a stale one is refused.';
comment on column task_claims.lease_expires_at is
    'After this moment the claim lapses. Null: it has ended.';
comment on column task_claims.note is 'The holder''s note at its end: the error of a failure.';
