-- Looks for the statement that the client prepared by this name; a pooler that keeps statements
-- apart gives it a name of its own.
select exists(select from pg_prepared_statements where name = 'taskdb_probe') as has_its_name;
