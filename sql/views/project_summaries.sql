-- Projects without their files, which may be long.
create view project_summaries as
select
    project.id,
    project.name,
    project.type,
    project.status,
    project.owner_id,
    project.dependencies,
    project.deployment_config,
    project.test_coverage,
    project.security_score,
    project.performance_score,
    project.version,
    project.created_at,
    project.updated_at,
    project.last_deployed_at
from project_contexts as project;

comment on view project_summaries is 'Projects without their codebase.';
