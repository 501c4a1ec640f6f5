-- What a connection runs when it comes back to the pool, in one round trip: whatever the last
-- user set, took or opened is gone. Prepared statements stay. `reset all` goes back to what
-- the connection began with: workspace, UTC, statement timeout.
close all;
set session authorization default;
reset all;
unlisten *;
discard temp;
select pg_advisory_unlock_all();
