-- The rate at which agents recovered from their errors, by node.
create view error_recovery as
select
    log.node,
    count(*) as error_count,
    count(*) filter (where log.recovered) as recovered_count,
    round(100.0 * count(*) filter (where log.recovered) / count(*), 2) as recovery_pct,
    round(avg(log.retry_count), 2) as average_retries,
    max(log.created_at) as last_error_at
from agent_error_logs as log
group by log.node;

comment on view error_recovery is 'Errors by node, and how many agents recovered from.';
comment on column error_recovery.recovery_pct is '100 x recovered / all.';
