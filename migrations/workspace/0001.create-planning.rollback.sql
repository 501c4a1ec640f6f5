-- 0001 back: epics and features.
-- Locks: access exclusive on what it drops.
set local lock_timeout = '2s';

drop trigger features_50_touch_updated_at on features;
drop trigger features_10_refuse_foreign_key on features;
drop trigger epics_50_touch_updated_at on epics;
drop function refuse_foreign_feature_key();
drop function touch_updated_at();
drop table features;
drop table epics;
