-- The duration, effort and results of each session. Each figure is looked up for the session in
-- question, so that reading few sessions costs little.
create view session_figures as
select
    session.id,
    session.project_id,
    session.status,
    session.created_at,
    session.completed_at - session.created_at as duration,
    error.error_count,
    error.recovered_count,
    error.retry_count,
    session.newest_version,
    document.quality_score
from tech_spec_sessions as session
cross join lateral (
    select
        count(*) as error_count,
        count(*) filter (where log.recovered) as recovered_count,
        coalesce(sum(log.retry_count), 0) as retry_count
    from agent_error_logs as log
    where log.session_id = session.id
) as error
left join lateral (
    select newest.quality_score
    from generated_trd_documents as newest
    where newest.session_id = session.id
    order by newest.version desc
    limit 1
) as document on true;

comment on view session_figures is
    'The duration of each session, its errors, and the quality of its newest document.';
comment on column session_figures.duration is
    'From its creation to its completion, pauses included; null before.';
