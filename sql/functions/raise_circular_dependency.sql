-- Refuses a cycle. *path* begins and ends with the same task's key; each waits for the
-- next (or is a part of the next). The detail carries all of it, as JSON after the code.
create function raise_circular_dependency(path text[])
    returns void
    language plpgsql
    immutable
    set search_path from current
as $$
begin
    raise exception using
        errcode = 'TD002',
        message = 'circular dependency: ' || case
            when cardinality(path) <= 12 then array_to_string(path, ' -> ')
            else array_to_string(path[1:6], ' -> ')
                || ' -> ... (' || cardinality(path) - 11 || ' more) -> '
                || array_to_string(path[cardinality(path) - 4:], ' -> ')
        end,
        detail = 'TD002 ' || to_json(path),
        hint = 'Remove one dependency of this path first.';
end;
$$;

comment on function raise_circular_dependency(text[]) is 'Raises TD002 with the cycle''s keys.';
