-- The keys on a shortest way from one specification to another along their dependencies;
-- null if there is none. Breadth first, each specification once.
create function spec_path(from_id uuid, to_id uuid)
    returns text[]
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    reached uuid[] := array[from_id];
    came_from int[] := array[0];
    n int := 1;
    keys text[] := '{}';
begin
    while reached[n] <> to_id loop
        select
            reached || coalesce(array_agg(edge.depends_on_id), '{}'),
            came_from || coalesce(array_agg(n), '{}')
        into reached, came_from
        from spec_dependencies as edge
        where edge.spec_id = reached[n] and edge.depends_on_id <> all(reached);
        n := n + 1;
    end loop;
    if reached[n] is null then
        return null;
    end if;
    while n > 0 loop
        keys := array(select spec.key from technical_specs as spec where spec.id = reached[n])
            || keys;
        n := came_from[n];
    end loop;
    return keys;
end;
$$;

comment on function spec_path(uuid, uuid) is
    'The keys from a specification to another that it depends on, directly or not; or null.';
