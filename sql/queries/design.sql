-- Design jobs, their documents, decisions and progress.

-- name: create_job
-- A new job, pending.
insert into design_jobs as job (project_id)
values (:project_id)
returning
    job.id,
    job.project_id,
    job.status,
    job.error_message,
    job.created_at,
    job.updated_at,
    job.completed_at;

-- name: get_job
-- A job by its id.
--
-- plan: design_jobs_pkey
select job.*
from design_jobs as job
where job.id = :id;

-- name: list_jobs
-- Jobs, newest first. Every filter is optional.
--
-- plan: design_jobs_by_creation, design_jobs_by_status, design_jobs_by_project
select job.*
from design_jobs as job
where true
    and job.project_id = :project_id                                -- if :project_id
    and job.status = :status                                        -- if :status
    and (job.created_at, job.id)                                -- if :after_created_at :after_id
        < (:after_created_at, :after_id)                        -- if :after_created_at :after_id
order by job.created_at desc, job.id desc
limit :limit;

-- name: change_job_status
-- Changes a job's status if the old one is among :old_statuses; returns no row otherwise.
--
-- plan: design_jobs_pkey
update design_jobs as job
set
    status = :status::shared.design_job_status,
    error_message = :error_message,
    completed_at = case when :status::shared.design_job_status = 'completed' then now() end
where job.id = :id and job.status = any(:old_statuses::shared.design_job_status[])
returning job.*;

-- name: delete_job
-- Deletes a job, with its documents and the sessions that began with it.
--
-- plan: design_jobs_pkey
delete from design_jobs as job
where job.id = :id
returning job.id;

-- name: put_output
-- A document of a job; it replaces one of its type.
insert into design_outputs as output (design_job_id, output_type, content)
values (:design_job_id, :output_type, :content)
on conflict (design_job_id, output_type) do update
set content = excluded.content
returning
    output.id,
    output.design_job_id,
    output.output_type,
    output.content,
    output.created_at,
    output.updated_at;

-- name: get_output
-- One document of a job.
--
-- plan: design_outputs_once_per_type
select output.*
from design_outputs as output
where output.design_job_id = :design_job_id and output.output_type = :output_type;

-- name: find_outputs
-- The documents of a job, one column a type.
--
-- plan: design_jobs_pkey
-- plan: design_outputs_once_per_type
select
    job.id as design_job_id,
    prd.content as prd,
    design_system.content as design_system,
    ux_flow.content as ux_flow,
    screen_specs.content as screen_specs,
    code_path.content as ai_studio_code_path
from design_jobs as job
left join design_outputs as prd
    on prd.design_job_id = job.id and prd.output_type = 'prd'
left join design_outputs as design_system
    on design_system.design_job_id = job.id and design_system.output_type = 'design_system'
left join design_outputs as ux_flow
    on ux_flow.design_job_id = job.id and ux_flow.output_type = 'ux_flow'
left join design_outputs as screen_specs
    on screen_specs.design_job_id = job.id and screen_specs.output_type = 'screen_specs'
left join design_outputs as code_path
    on code_path.design_job_id = job.id and code_path.output_type = 'ai_studio_code_path'
where job.id = :design_job_id;

-- name: add_decision
-- A new decision.
insert into design_decisions as decision (design_job_id, decision_type, value, reasoning)
values (:design_job_id, :decision_type, :value, :reasoning)
returning
    decision.id,
    decision.design_job_id,
    decision.decision_type,
    decision.value,
    decision.reasoning,
    decision.created_at;

-- name: load_decisions
-- The decisions of a job, in the order in which they were made.
--
-- plan: design_decisions_in_order
select decision.*
from design_decisions as decision
where decision.design_job_id = :design_job_id
order by decision.created_at, decision.id;

-- name: add_progress
-- A progress report of a job.
insert into design_progress as progress (
    design_job_id, stage, progress_percentage, message
)
values (:design_job_id, :stage, :progress_percentage, :message)
returning
    progress.id,
    progress.design_job_id,
    progress.stage,
    progress.progress_percentage,
    progress.message,
    progress.created_at;

-- name: list_progress
-- The progress reports of a job, newest first.
--
-- plan: design_progress_by_creation
select progress.*
from design_progress as progress
where
    progress.design_job_id = :design_job_id
    and (progress.created_at, progress.id)                      -- if :after_created_at :after_id
        < (:after_created_at, :after_id)                        -- if :after_created_at :after_id
order by progress.created_at desc, progress.id desc
limit :limit;
