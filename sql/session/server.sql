-- Facts about a server: its version, whether it is in recovery, whether the session's settings
-- arrived (a pooler between may have dropped them), the statement timeout, and its process, of
-- which a pooler tells the client another number.
select
    current_setting('server_version') as server_version,
    pg_is_in_recovery() as is_standby,
    current_setting('search_path') as search_path,
    current_setting('TimeZone') as time_zone,
    current_setting('statement_timeout') as statement_timeout,
    pg_backend_pid() as process;
