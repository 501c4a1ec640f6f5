-- Resets a connection on its return to the pool, in one round trip: settings, locks and cursors of
-- its last user are gone. Prepared statements stay. `reset all` restores the settings that the
-- connection began with: workspace, UTC, statement timeout.
close all;
set session authorization default;
reset all;
unlisten *;
discard temp;
select pg_advisory_unlock_all();
select name from pg_prepared_statements;
