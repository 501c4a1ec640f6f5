-- Revokes the schema shared from a role, and from all roles to which it granted it.
revoke all on schema shared from :"role" cascade;
revoke all on all tables in schema shared from :"role" cascade;
revoke all on all routines in schema shared from :"role" cascade;
