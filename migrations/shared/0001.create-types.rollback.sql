-- 0001 back: the types and functions that all workspaces share.
-- Locks: access exclusive on what it drops.
set local lock_timeout = '2s';

drop function utf8_bytes(text);
drop function is_satisfied(dependency_type, task_status, timestamptz);
drop function shared.uuidv7();
drop domain counter;
drop domain hours;
drop domain score;
drop domain priority;
drop domain object_json;
drop domain note_text;
drop domain name_text;
drop domain title;
drop domain key;
drop type subtask_status;
drop type claim_outcome;
drop type dependency_type;
drop type level;
drop type plan_status;
drop type task_status;
drop extension pg_trgm;
