-- After migrations that made functions: see sql/functions/public.sql.
revoke all on all routines in schema :"workspace" from public;
