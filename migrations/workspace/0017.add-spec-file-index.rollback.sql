-- 0017 back: the index goes.
set lock_timeout = '2s';

drop index concurrently if exists technical_specs_file_is_imported_once;
