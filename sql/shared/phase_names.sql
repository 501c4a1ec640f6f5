-- The names of a structure's phases, in the order of its list. Malformed lists give names too: a
-- trigger refuses them, and names the phase.
create function phase_names(structure jsonb)
    returns text[]
    language sql
    immutable
    strict
    parallel safe
return array(
    select named.name #>> '{}'
    from jsonb_path_query(structure, 'lax $.phases[*].name') with ordinality as named (name, place)
    order by named.place
);

comment on function phase_names(jsonb) is 'The names of the phases of a specification.';
