-- 0008 back: tech-spec sessions: research, conversations, documents, errors of agents.
-- Locks: access exclusive on what it drops, and on shared.design_jobs for the foreign key.
set local lock_timeout = '2s';

drop view error_recovery;
drop view session_statistics;
drop view session_figures;
drop view session_jobs;
drop table agent_error_logs;
drop table generated_trd_documents;
drop table tech_conversations;
drop table tech_research;
drop table session_status_transitions;
drop table tech_spec_sessions;
drop function refuse_renumbered_document();
drop function number_document();
drop function refuse_changed_message();
drop function settle_session();
drop function refuse_early_session();
drop function refuse_session_move();
