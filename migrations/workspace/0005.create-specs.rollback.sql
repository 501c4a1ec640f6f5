-- 0005 back: specifications, their phases, dependencies and words.
-- Locks: access exclusive on what it drops.
set local lock_timeout = '2s';

drop table spec_search;
drop table spec_guard;
drop table spec_dependencies;
drop table spec_phases;
drop table spec_status_transitions;
drop table technical_specs;
drop sequence technical_spec_number;
drop function refuse_spec_cycle();
drop function index_spec();
drop function check_structure();
drop function refuse_spec_move();
drop function number_spec();
drop function spec_path(uuid, uuid);
drop function check_phase(text, jsonb);
drop function raise_refusal(text, text);
drop function spec_document(text, text, jsonb);
