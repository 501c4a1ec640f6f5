-- A claim is one attempt of one agent at one task. At most one is live.
create table task_claims (
    id uuid primary key default uuidv7(),
    task_id uuid not null,
    token bigint not null,
    agent shared.name_text not null,
    claimed_at timestamptz not null default now(),
    lease_expires_at timestamptz not null,
    -- Null while the attempt is live.
    outcome shared.claim_outcome,
    ended_at timestamptz,
    note text,
    constraint task_claims_task_exists
        foreign key (task_id) references tasks (id) on delete cascade,
    constraint task_claims_ended_exactly_with_outcome
        check ((outcome is null) = (ended_at is null)),
    constraint task_claims_token_once_per_task unique (task_id, token)
)
with (fillfactor = 85);

-- Keeps the promise: at most one live claim a task.
create unique index task_claims_one_live on task_claims (task_id) where outcome is null;
-- Serves queries/claims.sql: claim_next, for tasks whose lease has lapsed.
create index task_claims_by_lease on task_claims (lease_expires_at) where outcome is null;
-- Serves queries/claims.sql: list_live.
create index task_claims_by_agent on task_claims (agent, claimed_at desc);

comment on table task_claims is 'Attempts at tasks: who holds or held one, and how it ended.';
comment on column task_claims.token is
    'The fencing token: the holder names it with every write, and a stale one is refused.';
comment on column task_claims.lease_expires_at is
    'After this moment another agent may take the task.';
comment on column task_claims.outcome is 'Null while the attempt is live.';
comment on column task_claims.note is 'What the holder said at its end: the error of a failure.';
