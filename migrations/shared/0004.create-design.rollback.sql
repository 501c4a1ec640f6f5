-- 0004 back: what the Design Agent makes, and the types of tech-spec sessions.
-- Locks: access exclusive on what it drops.
set local lock_timeout = '2s';

drop table design_progress;
drop table design_decisions;
drop table design_outputs;
drop table design_jobs;
drop domain option_list;
drop type conversation_role;
drop type session_status;
drop type design_output_type;
drop type design_job_status;
