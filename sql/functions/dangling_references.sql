-- The values of foreign keys that are in no row of the table they name, and in how many rows each
-- stands. The server keeps foreign keys by triggers, and these can have been off: in a restore of
-- data alone, in a replica, for a superuser. Tables that the caller cannot read are left out.
create function dangling_references()
    returns table (
        constraint_name text,
        table_name text,
        referenced_name text,
        reference text,
        row_count bigint
    )
    language plpgsql
    stable
    set search_path from current
as $$
declare
    link record;
begin
    for link in
        select
            foreign_key.conname,
            child.relname as child_name,
            parent.relname as parent_name,
            string_agg(format('child.%I', own.attname), ', ' order by part.place) as own_columns,
            string_agg(format('parent.%I', other.attname), ', ' order by part.place)
                as their_columns
        from pg_constraint as foreign_key
        inner join pg_class as child on child.oid = foreign_key.conrelid
        inner join pg_class as parent on parent.oid = foreign_key.confrelid
        cross join lateral unnest(foreign_key.conkey, foreign_key.confkey)
            with ordinality as part (own, their, place)
        inner join pg_attribute as own on own.attrelid = child.oid and own.attnum = part.own
        inner join pg_attribute as other
            on other.attrelid = parent.oid and other.attnum = part.their
        where
            foreign_key.contype = 'f'
            and foreign_key.connamespace = current_schema()::regnamespace
            and has_table_privilege(child.oid, 'select')
            and has_table_privilege(parent.oid, 'select')
        group by foreign_key.conname, child.relname, parent.relname
    loop
        return query execute format(
            'select %L, %L, %L, concat_ws('', '', %4$s), count(*) from %2$I as child'
            ' where (%4$s) is not null'
            ' and not exists (select from %3$I as parent where (%5$s) = (%4$s)) group by %4$s',
            link.conname,
            link.child_name,
            link.parent_name,
            link.own_columns,
            link.their_columns
        );
    end loop;
end;
$$;

comment on function dangling_references() is
    'Values of foreign keys without the row that they name, and the number of rows of each.';
