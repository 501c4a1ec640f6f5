-- Where each of the *wanted* ids stands in a list; null if it doesn't. The planner can't
-- know how long the lists will be, and a nested loop over two long ones never ends: so
-- that way is shut.
create function positions_of(wanted uuid[], listed uuid[])
    returns int[]
    language sql
    immutable
    set search_path from current
    set enable_nestloop = off
as $$
    select array_agg(place.position::int order by wish.position)
    from unnest(wanted) with ordinality as wish (id, position)
    left join unnest(listed) with ordinality as place (id, position) on place.id = wish.id;
$$;

comment on function positions_of(uuid[], uuid[]) is
    'The positions of the first list''s ids in the second.';
