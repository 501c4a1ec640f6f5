-- Statistics of sessions, by their current status.
create view session_statistics as
select
    figures.status,
    count(*) as session_count,
    avg(figures.duration) as average_duration,
    sum(figures.error_count)::bigint as error_count,
    sum(figures.recovered_count)::bigint as recovered_count,
    round(100.0 * count(*) filter (where figures.error_count > 0) / count(*), 2)
        as sessions_with_errors_pct,
    round(avg(figures.quality_score), 2) as average_quality
from session_figures as figures
group by figures.status;

comment on view session_statistics is 'Statistics of sessions, by their status.';
comment on column session_statistics.sessions_with_errors_pct is
    '100 x sessions in which there was an error / all.';
