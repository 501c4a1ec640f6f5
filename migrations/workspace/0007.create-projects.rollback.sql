-- 0007 back: projects with their secrets, modifications, templates; epics of projects.
-- Locks: access exclusive on epics and on what it drops.
set local lock_timeout = '2s';

alter table epics drop column project_id;
drop table templates;
drop table modifications;
drop table modification_status_transitions;
drop table project_environments;
drop table project_contexts;
drop function apply_modification();
drop function settle_modification();
drop function refuse_modification_move();
drop function refuse_decided_modification();
drop function count_version();
drop function fill_template(jsonb, text[], text[], jsonb);
