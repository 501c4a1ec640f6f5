-- A message in a session. Rows are added, never changed; they go with their session, or by `taskdb
-- prune` when they are old.
create table tech_conversations (
    id uuid primary key default uuidv7(),
    session_id uuid not null,
    research_id uuid,
    role shared.conversation_role not null,
    message shared.note_text not null,
    message_type shared.name_text,
    metadata shared.object_json,
    created_at timestamptz not null default clock_timestamp(),
    constraint tech_conversations_session_exists
        foreign key (session_id) references tech_spec_sessions (id) on delete cascade,
    constraint tech_conversations_research_is_of_the_session
        foreign key (session_id, research_id) references tech_research (session_id, id)
        on delete cascade
);

-- Serves queries/conversations.sql: list_messages, newest first.
create index tech_conversations_by_session
    on tech_conversations (session_id, created_at desc, id desc);
-- Serves queries/conversations.sql: list_about_research, newest first.
create index tech_conversations_by_research
    on tech_conversations (session_id, research_id, created_at desc, id desc)
    where research_id is not null;
-- Serves queries/retention.sql: prune_conversations, count_conversations.
create index tech_conversations_by_age on tech_conversations (created_at, id);

comment on table tech_conversations is 'Messages in sessions.';
comment on column tech_conversations.research_id is 'The research of the session it is about.';
comment on column tech_conversations.message_type is 'Its kind, in the agent''s words.';
comment on column tech_conversations.metadata is 'The agent''s data about it, as an object.';
