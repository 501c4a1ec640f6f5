-- PUBLIC may run no function of a workspace: roles are granted those that they need (sql/roles/).
-- Some write as their owner, and a trigger function would do so for any table it is tied to.
-- `taskdb migrate up` does the same for functions that later migrations make.
do $$
begin
    execute format('revoke all on all routines in schema %I from public', current_schema());
end;
$$;
