-- 0002 back: the types and functions of specifications.
-- Locks: access exclusive on what it drops.
set local lock_timeout = '2s';

drop function spec_text(jsonb);
drop function phase_names(jsonb);
drop function names_files(text[]);
drop domain commit_sha;
drop type phase_status;
drop type spec_type;
drop type spec_status;
