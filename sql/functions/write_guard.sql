-- Writes the guard that the trigger names, once a statement: the row again for each changed one
-- would take time with the square of their number.
create function write_guard()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
as $$
begin
    insert into guards (name) values (tg_argv[0])
    on conflict (name) do update set version = guards.version + 1;
    return null;
end;
$$;

comment on function write_guard() is
    'Makes two statements that change the same kind of thing meet.';
