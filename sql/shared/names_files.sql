-- Checks that paths are one list, which names each file in one way only, so that two lists overlap
-- exactly if they have a path in common: no empty path, none with `.`, `..` or nothing between two
-- slashes, none over 1,000 characters.
create function names_files(paths text[])
    returns boolean
    language sql
    immutable
    strict
    parallel safe
return coalesce(array_ndims(paths), 1) = 1 and not exists (
    select from unnest(paths) as named (path)
    where
        named.path is null
        or length(named.path) not between 1 and 1000
        or named.path ~ '(^|/)\.{1,2}(/|$)|//|[\u0001-\u001f\u007f-\u009f]'
);

comment on function names_files(text[]) is
    'True if each path of a list is the only way to write it.';
