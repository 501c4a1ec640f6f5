-- All that a hierarchical specification says, for search: every text in it, at any depth.
create function spec_text(structure jsonb)
    returns text
    language sql
    immutable
    strict
    parallel safe
return (
    select string_agg(found.value #>> '{}', e'\n' order by found.place)
    from jsonb_path_query(structure, 'strict $.**') with ordinality as found (value, place)
    where jsonb_typeof(found.value) = 'string'
);

comment on function spec_text(jsonb) is 'Every text in a structure, one after the other.';
