-- Takes the schema shared back from a role, and from those that it handed it on to.
revoke all on schema shared from :"role" cascade;
revoke all on all tables in schema shared from :"role" cascade;
revoke all on all routines in schema shared from :"role" cascade;
