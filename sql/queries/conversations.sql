-- Conversations of sessions: append and read. Messages are never changed.

-- name: append
-- A new message.
insert into tech_conversations as entry (
    session_id, research_id, role, message, message_type, metadata
)
values (:session_id, :research_id, :role, :message, :message_type, :metadata)
returning
    entry.id,
    entry.session_id,
    entry.research_id,
    entry.role,
    entry.message,
    entry.message_type,
    entry.metadata,
    entry.created_at;

-- name: list_messages
-- The messages of a session, newest first.
--
-- plan: tech_conversations_by_session
select entry.*
from tech_conversations as entry
where
    entry.session_id = :session_id
    and (entry.created_at, entry.id)                              -- if :after_created_at :after_id
        < (:after_created_at, :after_id)                        -- if :after_created_at :after_id
order by entry.created_at desc, entry.id desc
limit :limit;

-- name: list_about_research
-- The messages about a research, newest first.
--
-- plan: tech_conversations_by_research
select entry.*
from tech_conversations as entry
where
    entry.session_id = :session_id
    and entry.research_id = :research_id
    and (entry.created_at, entry.id)                              -- if :after_created_at :after_id
        < (:after_created_at, :after_id)                        -- if :after_created_at :after_id
order by entry.created_at desc, entry.id desc
limit :limit;
