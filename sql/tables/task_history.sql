-- Every change of a task's status, and its creation, by whatever route. Only triggers write it;
-- rows imported from another tracker carry their source and keep their own times; those of before
-- the import count downwards from 0.
--
-- It is the record of claims as well: the row that a claim begins with carries its token, the
-- row that ends it the token and the outcome. The view task_claims joins the two.
create table task_history (
    task_id uuid not null,
    seq integer not null,
    old_status shared.task_status,
    new_status shared.task_status not null,
    forced boolean not null default false,
    automatic boolean not null default false,
    outcome shared.claim_outcome,
    token bigint,
    created_at timestamptz not null default clock_timestamp(),
    agent shared.name_text not null,
    note text,
    source shared.name_text,
    progress_pct shared.score,
    progress_note text,
    login_role text collate "C" not null default session_user,
    -- Keeps the promise: one row a change.
    constraint task_history_seq_once_per_task primary key (task_id, seq),
    constraint task_history_task_exists
        foreign key (task_id) references tasks (id) on delete cascade
);

-- Serves queries/history.sql and queries/flow.sql: all changes, and those of one agent, which are
-- picked out of it: an index of their own would cost each transition more than it saves them.
create index task_history_by_time on task_history (created_at, agent);

comment on table task_history is
    'Every change of status: who, when, why; and with it every claim. Written by trigger.';
comment on column task_history.seq is
    'Counts a task''s rows from 1; the highest is its present status. 0 and below: came with it.';
comment on column task_history.old_status is 'Null: the task was created.';
comment on column task_history.agent is
    'The author: as the statement names it, else session_user; taskdb for automatic changes.';
comment on column task_history.forced is 'The change was forced past task_status_transitions.';
comment on column task_history.automatic is
    'The change follows from another one, or from time: no statement of a role can say so.';
comment on column task_history.outcome is 'The outcome of the claim that this change ends.';
comment on column task_history.token is 'The token of the claim that this change begins or ends.';
comment on column task_history.login_role is
    'The role that was logged in, whatever agent the statement named: the default sets it.';
comment on column task_history.source is 'The tracker that an imported row came from.';
comment on column task_history.progress_pct is 'The last heartbeat''s progress of the ended claim.';
comment on column task_history.progress_note is 'The last heartbeat''s note of the ended claim.';
