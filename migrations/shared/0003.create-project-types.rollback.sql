-- 0003 back: the types of projects, modifications and templates.
-- Locks: access exclusive on what it drops.
set local lock_timeout = '2s';

drop domain name_list;
drop domain changes_json;
drop domain texts_json;
drop domain percentage;
drop type complexity;
drop type template_category;
drop type modification_status;
drop type project_status;
