-- The objects that all workspaces share. Run it with the schema `shared` first in
-- search_path:
--   psql -c 'create schema shared' -c 'set search_path = shared' -f sql/shared.sql
\ir shared/extensions.sql
\ir shared/types.sql
\ir shared/domains.sql
\ir shared/uuidv7.sql
\ir shared/is_satisfied.sql
\ir shared/is_dead.sql
\ir shared/is_active.sql
\ir shared/utf8_bytes.sql
\ir shared/names_files.sql
\ir shared/phase_names.sql
\ir shared/spec_text.sql
\ir shared/public.sql
