-- Revokes all privileges of a role in a workspace, of whatever kind.
revoke all on schema :"workspace" from :"role";
revoke all on all tables in schema :"workspace" from :"role";
revoke all on all sequences in schema :"workspace" from :"role";
revoke all on all routines in schema :"workspace" from :"role";
\ir revoke_defaults.sql
