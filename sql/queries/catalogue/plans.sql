-- Queries of the plan check: sizes, and sample values for each query.

-- name: relation_sizes
-- The rows of each table, and of each index of one, as of its last ANALYZE or VACUUM; those of
-- PostgreSQL itself are left out. Where a name is in several schemas, the one on the search path
-- counts.
select distinct on (relation.relname)
    relation.relname::text as name,
    greatest(relation.reltuples, 0)::bigint as row_count,
    indexed.relname::text as table_name
from pg_class as relation
left join pg_index on pg_index.indexrelid = relation.oid
left join pg_class as indexed on indexed.oid = pg_index.indrelid
where
    relation.relkind in ('r', 'p', 'm', 'i', 'I')
    and relation.relnamespace not in (
        'pg_catalog'::regnamespace, 'information_schema'::regnamespace
    )
    and relation.relpersistence <> 't'
order by relation.relname, pg_table_is_visible(relation.oid) desc, relation.oid;

-- name: column_samples
-- Values of columns, as text: a frequent one, and a rare one if there is a rarer. They come from
-- the planner's statistics, so they exist, and no table is read. For arrays and texts prepared for
-- search they are elements.
with asked as (
    select
        given.relation,
        given.number
    from unnest(:relations::oid[], :numbers::int[]) as given (relation, number)
),

known as (
    select
        asked.relation::bigint as relation,
        asked.number,
        attribute.atttypid::bigint as type_oid,
        coalesce(stats.most_common_elems, stats.most_common_vals)::text::text[] as common,
        coalesce(stats.most_common_elem_freqs, stats.most_common_freqs) as frequencies,
        case
            when stats.most_common_elems is null then stats.histogram_bounds::text::text[]
        end as bounds
    from asked
    inner join pg_class as relation on relation.oid = asked.relation
    inner join pg_namespace as namespace on namespace.oid = relation.relnamespace
    inner join pg_attribute as attribute
        on attribute.attrelid = asked.relation and attribute.attnum = asked.number
    -- One by one: joined as a whole, the view would format the statistics of every column.
    cross join lateral (
        select
            pg_stats.most_common_vals,
            pg_stats.most_common_freqs,
            pg_stats.most_common_elems,
            pg_stats.most_common_elem_freqs,
            pg_stats.histogram_bounds
        from pg_stats
        where
            pg_stats.schemaname = namespace.nspname
            and pg_stats.tablename = relation.relname
            and pg_stats.attname = attribute.attname
            and not pg_stats.inherited
        offset 0
    ) as stats
),

chosen as (
    select
        known.relation,
        known.number,
        known.type_oid,
        (
            select known.common[place]
            from generate_subscripts(known.common, 1) as place
            order by known.frequencies[place] desc, place
            limit 1
        ) as most_common,
        (
            select known.common[place]
            from generate_subscripts(known.common, 1) as place
            order by known.frequencies[place], place
            limit 1
        ) as least_common,
        known.bounds[greatest(1, cardinality(known.bounds) / 2)] as between_bounds
    from known
)

select
    chosen.relation,
    chosen.number,
    chosen.type_oid,
    coalesce(chosen.most_common, chosen.between_bounds) as frequent,
    coalesce(chosen.between_bounds, chosen.least_common) as rare
from chosen
where coalesce(chosen.most_common, chosen.between_bounds) is not null;

-- name: force_generic_plans
-- Until the transaction ends, prepared statements are planned without looking at arguments.
select set_config('plan_cache_mode', 'force_generic_plan', true) as value;

-- name: favour_indexes
-- Until the transaction ends, an index is worth it in a small table as it would be in a large one:
-- the smaller the table, the less the planner saves by not reading all of it.
select
    concat_ws(
        ' ',
        set_config('random_page_cost', '1.1', true),
        set_config('max_parallel_workers_per_gather', '0', true)
    ) as settings;
