-- Conversations of sessions: append and read. Messages are never changed.

-- name: append
-- A new message.
insert into tech_conversations as said (
    session_id, research_id, role, message, message_type, metadata
)
values (:session_id, :research_id, :role, :message, :message_type, :metadata)
returning
    said.id,
    said.session_id,
    said.research_id,
    said.role,
    said.message,
    said.message_type,
    said.metadata,
    said.created_at;

-- name: list_messages
-- The messages of a session, newest first.
--
-- plan: tech_conversations_by_session
select said.*
from tech_conversations as said
where
    said.session_id = :session_id
    and (said.created_at, said.id)                              -- if :after_created_at :after_id
        < (:after_created_at, :after_id)                        -- if :after_created_at :after_id
order by said.created_at desc, said.id desc
limit :limit;

-- name: list_about_research
-- The messages about a research, newest first.
--
-- plan: tech_conversations_by_research
select said.*
from tech_conversations as said
where
    said.session_id = :session_id
    and said.research_id = :research_id
    and (said.created_at, said.id)                              -- if :after_created_at :after_id
        < (:after_created_at, :after_id)                        -- if :after_created_at :after_id
order by said.created_at desc, said.id desc
limit :limit;
