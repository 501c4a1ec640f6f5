-- The session state for each migration, whatever the previous file set: all but the search path,
-- which the runner sets next. The advisory lock stays: hence no `discard all`.
reset session authorization;
reset role;
reset all;
discard temp;
set timezone = 'UTC';
set statement_timeout = 0;
set idle_in_transaction_session_timeout = 0;
-- A killed client's statement ends within a second, and its locks go with it.
set client_connection_check_interval = '1s';
