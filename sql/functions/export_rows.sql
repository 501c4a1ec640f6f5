-- Every row of a table as JSON, in the order of its primary key, whatever the session's settings
-- are: two exports of the same data are the same, byte for byte.
create function export_rows(table_name text)
    returns setof text
    language plpgsql
    stable
    set search_path from current
    set timezone to 'UTC'
    set intervalstyle to 'postgres'
    set bytea_output to 'hex'
    set extra_float_digits to 1
as $$
declare
    known text[] := (
        select exported.columns
        from exported_tables() as exported
        where exported.name = table_name
    );
    computed text[];
    key_columns text;
begin
    if known is null then
        perform raise_refusal('table_name', 'must be a table of the workspace');
    end if;
    select array_agg(attribute.attname::text)
    into computed
    from pg_attribute as attribute
    where
        attribute.attrelid = table_name::regclass
        and attribute.attnum > 0
        and attribute.attname <> all(known);
    select string_agg(format('exported.%I', attribute.attname), ', ' order by part.place)
    into key_columns
    from pg_index as key
    cross join lateral unnest(key.indkey) with ordinality as part (attnum, place)
    inner join pg_attribute as attribute
        on attribute.attrelid = key.indrelid and attribute.attnum = part.attnum
    where key.indrelid = table_name::regclass and key.indisprimary;

    return query execute format(
        'select (to_jsonb(exported) - $1)::text from %I as exported order by %s',
        table_name,
        key_columns
    )
    using coalesce(computed, '{}');
end;
$$;

comment on function export_rows(text) is
    'The rows of a table as JSON, without computed columns, in the order of the primary key.';
