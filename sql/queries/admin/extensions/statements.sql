-- Queries that need the optional extension pg_stat_statements: apart from those that every database
-- must fit.

-- name: list_statements
-- The cost of each query of this application in this database since the statistics were reset, the
-- costliest first. The query tag in each statement names the query; its variants are counted
-- together.
with named as (
    select
        substring(statements.query from '/\* ' || :application || ':([\w.]+) \*/') as name,
        statements.calls,
        statements.total_exec_time,
        statements.rows
    from pg_stat_statements as statements
    inner join pg_database on pg_database.oid = statements.dbid
    where pg_database.datname = current_database()
)

select
    named.name,
    sum(named.calls)::bigint as "call_count!",  -- a sum of rows that are never null
    round(sum(named.total_exec_time)::numeric, 3) as "total_ms!",  -- the same
    round((sum(named.total_exec_time) / greatest(sum(named.calls), 1))::numeric, 3)
        as "mean_ms!",  -- the same
    sum(named.rows)::bigint as "row_count!"  -- the same
from named
where named.name is not null
group by named.name
order by sum(named.total_exec_time) desc, named.name;
