-- 0017: a file is imported as a specification once, and found by its path.
-- Locks: share update exclusive on technical_specs, for a second (reads and writes go on)
-- Check: select count(*) - count(distinct file_path) from technical_specs
--   where file_path is not null;  -- expect 0
-- transactional: false

-- squawk-ignore-file prefer-robust-stmts, ban-concurrent-index-creation-in-transaction
-- (It does not know the head's last line; and the runner rolls back before it tries again.)
set lock_timeout = '2s';

create unique index concurrently technical_specs_file_is_imported_once
    on technical_specs (file_path);
