-- An error of an agent in a session, how often it was tried again, and whether that helped.
create table agent_error_logs (
    id uuid primary key default uuidv7(),
    session_id uuid not null,
    node shared.name_text not null,
    error_type shared.name_text not null,
    message shared.note_text not null,
    stack_trace shared.note_text,
    retry_count shared.counter not null default 0,
    recovered boolean not null default false,
    recovery_strategy shared.name_text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint agent_error_logs_session_exists
        foreign key (session_id) references tech_spec_sessions (id) on delete cascade
);

-- Serves queries/agent_errors.sql: list_for_session, newest first.
create index agent_error_logs_by_session
    on agent_error_logs (session_id, created_at desc, id desc);
-- Serve queries/agent_errors.sql: list_errors, newest first.
create index agent_error_logs_by_node
    on agent_error_logs (node, created_at desc, id desc);
create index agent_error_logs_by_recovery
    on agent_error_logs (recovered, created_at desc, id desc);
create index agent_error_logs_by_node_and_recovery
    on agent_error_logs (node, recovered, created_at desc, id desc);
-- Serves queries/retention.sql: prune_errors, count_errors; and queries/agent_errors.sql:
-- recovery_since.
create index agent_error_logs_by_age on agent_error_logs (created_at, id);

comment on table agent_error_logs is 'Errors of agents in sessions, and their recovery.';
comment on column agent_error_logs.node is 'The step of the agent in which it happened.';
comment on column agent_error_logs.error_type is 'The kind of error, in the agent''s words.';
comment on column agent_error_logs.retry_count is 'The number of retries.';
comment on column agent_error_logs.recovery_strategy is 'The agent''s remedy.';
