-- 0020 back: claims look at held files as they were when they began.
-- Locks: access exclusive on the function.
set local lock_timeout = '2s';

drop function files_are_held(uuid);
