-- PUBLIC may execute no function of a workspace: roles are granted those that they need
-- (sql/roles/). Some write as their owner, and a trigger function would do so for any table it is
-- attached to. `taskdb migrate up` does the same for functions of later migrations.
do $$
begin
    execute format('revoke all on all routines in schema %I from public', current_schema());
end;
$$;
