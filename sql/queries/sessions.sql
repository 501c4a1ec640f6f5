-- Tech-spec sessions: start, continue, end, read, list, statistics.

-- name: create
-- A new session, pending, for the project of its design job.
--
-- plan: design_jobs_pkey
insert into tech_spec_sessions as session (
    project_id, design_job_id, user_id, current_stage, session_data, websocket_url
)
with origin as (
    select
        job.id,
        job.project_id
    from design_jobs as job
    where job.id = :design_job_id
)

select
    origin.project_id,
    origin.id,
    :user_id::uuid,
    :current_stage,
    :session_data::jsonb,
    :websocket_url
from origin
returning
    session.id,
    session.project_id,
    session.design_job_id,
    session.user_id,
    session.status,
    session.current_stage,
    session.progress_percentage,
    session.session_data,
    session.websocket_url,
    session.failure_reason,
    session.newest_version,
    session.created_at,
    session.updated_at,
    session.completed_at;

-- name: get
-- A session by its id.
--
-- plan: tech_spec_sessions_pkey
select session.*
from tech_spec_sessions as session
where session.id = :id;

-- name: list_sessions
-- Sessions, newest first. Every filter is optional.
--
-- plan: tech_spec_sessions_by_creation, tech_spec_sessions_by_status,
-- plan: tech_spec_sessions_by_project, tech_spec_sessions_by_design_job,
-- plan: tech_spec_sessions_by_user
select session.*
from tech_spec_sessions as session
where true
    and session.status = :status                                    -- if :status
    and session.design_job_id = :design_job_id                      -- if :design_job_id
    and session.project_id = :project_id                            -- if :project_id
    and session.user_id = :user_id                                  -- if :user_id
    and (session.created_at, session.id)                        -- if :after_created_at :after_id
        < (:after_created_at, :after_id)                        -- if :after_created_at :after_id
order by session.created_at desc, session.id desc
limit :limit;

-- name: list_with_jobs
-- The same with their design jobs, by the view across the two schemas.
--
-- plan: tech_spec_sessions_by_creation, tech_spec_sessions_by_status
-- plan: design_jobs_pkey
select session.*
from session_jobs as session
where true
    and session.status = :status                                    -- if :status
    and (session.created_at, session.id)                        -- if :after_created_at :after_id
        < (:after_created_at, :after_id)                        -- if :after_created_at :after_id
order by session.created_at desc, session.id desc
limit :limit;

-- name: start
-- Starts, continues or retries a session.
--
-- plan: tech_spec_sessions_pkey
update tech_spec_sessions as session
set status = 'in_progress'
where session.id = :id
returning session.*;

-- name: update_progress
-- The progress of a session, its step, and its agent's state; only the given columns change.
--
-- plan: tech_spec_sessions_pkey
update tech_spec_sessions as session
set
    progress_percentage = :progress_percentage,                     -- if :progress_percentage
    current_stage = :current_stage,                                 -- if :current_stage
    session_data = :session_data,                                   -- if :session_data
    updated_at = now()
where session.id = :id
returning session.*;

-- name: pause
-- Pauses a session.
--
-- plan: tech_spec_sessions_pkey
update tech_spec_sessions as session
set status = 'paused'
where session.id = :id
returning session.*;

-- name: complete
-- Completes a session; the trigger sets the moment.
--
-- plan: tech_spec_sessions_pkey
update tech_spec_sessions as session
set status = 'completed'
where session.id = :id
returning session.*;

-- name: fail
-- Fails a session, with a reason.
--
-- plan: tech_spec_sessions_pkey
update tech_spec_sessions as session
set
    status = 'failed',
    failure_reason = :reason
where session.id = :id
returning session.*;

-- name: delete
-- Deletes a session, with its research, conversation, documents and errors.
--
-- plan: tech_spec_sessions_pkey
delete from tech_spec_sessions as session
where session.id = :id
returning session.id;

-- name: figures
-- The duration, effort and results of one session.
--
-- plan: tech_spec_sessions_pkey
-- plan: agent_error_logs_by_session
-- plan: generated_trd_documents_version_once_per_session
select figures.*
from session_figures as figures
where figures.id = :id
limit 1;

-- name: list_statistics
-- Statistics of all sessions, by status.
--
-- plan: allow full-scan: it adds up all sessions
select statistics.*
from session_statistics as statistics
order by statistics.status;

-- name: summary
-- Statistics of the sessions that were created in a time.
--
-- plan: allow full-scan: a figure over a long time is of all sessions in it
select
    count(*) as session_count,
    count(*) filter (where figures.status = 'completed') as completed_count,
    count(*) filter (where figures.status = 'failed') as failed_count,
    avg(figures.duration) as average_duration,
    percentile_cont(0.5) within group (order by figures.duration) as median_duration,
    percentile_cont(0.95) within group (order by figures.duration) as p95_duration,
    coalesce(sum(figures.error_count), 0)::bigint as error_count,
    coalesce(sum(figures.recovered_count), 0)::bigint as recovered_count,
    round(
        100.0 * count(*) filter (where figures.error_count > 0) / nullif(count(*), 0), 2
    ) as sessions_with_errors_pct,
    round(avg(figures.quality_score), 2) as average_quality
from session_figures as figures
where true
    and figures.created_at >= :since                                -- if :since
    and figures.created_at < :until;                                -- if :until
