-- Sessions with their design jobs.
create view session_jobs as
select
    session.id,
    session.project_id,
    session.user_id,
    session.status,
    session.current_stage,
    session.progress_percentage,
    session.created_at,
    session.design_job_id,
    job.project_id as design_project_id,
    job.status as design_status,
    job.completed_at as design_completed_at
from tech_spec_sessions as session
inner join design_jobs as job on job.id = session.design_job_id;

comment on view session_jobs is 'Sessions with their design jobs.';
