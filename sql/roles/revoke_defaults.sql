-- Revokes what a role would be granted on objects that the owner of a workspace makes later.
alter default privileges for role :"owner" in schema :"workspace"
revoke all on tables from :"role";
alter default privileges for role :"owner" in schema :"workspace"
revoke all on sequences from :"role";
alter default privileges for role :"owner" in schema :"workspace"
revoke all on routines from :"role";
