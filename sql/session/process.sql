-- The server process that runs this statement: behind a pooler the next may have another.
select pg_backend_pid() as process;
