-- The privileges that every role needs in the schema shared: its types and functions, which have
-- no rows, and the migration log. An owner may grant them to the roles of its own workspace.
--   psql -v role=svc -v option= -f sql/roles/shared.sql
grant usage on schema shared to :"role" :option;
grant select on
    shared._taskdb_migration,
    shared._yoyo_log,
    shared._yoyo_migration,
    shared._yoyo_version
to :"role" :option;
grant execute on function
    shared.is_active,
    shared.is_dead,
    shared.is_satisfied,
    shared.names_files,
    shared.phase_names,
    shared.spec_text,
    shared.utf8_bytes,
    shared.uuidv7
to :"role" :option;
