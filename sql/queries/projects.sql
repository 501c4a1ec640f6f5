-- Projects: their files, one at a time or all; their secrets, apart from everything else.

-- name: create
insert into project_contexts as project (
    name,
    type,
    status,
    owner_id,
    codebase,
    dependencies,
    deployment_config,
    test_coverage,
    security_score,
    performance_score
)
values (
    :name,
    :type,
    :status,
    :owner_id,
    :codebase,
    :dependencies,
    :deployment_config,
    :test_coverage,
    :security_score,
    :performance_score
)
returning
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
    project.last_deployed_at;

-- name: get
-- A project with all its files, and without its secrets.
--
-- plan: project_contexts_pkey
select project.*
from project_contexts as project
where project.id = :id;

-- name: list_projects
-- Projects without their files, the newest first; a page begins after the last of the one before.
--
-- plan: project_contexts_by_owner, project_contexts_by_owner_and_status,
-- plan: project_contexts_by_status, project_contexts_by_type, project_contexts_by_creation
select project.*
from project_summaries as project
where true
    and project.owner_id = :owner_id                                -- if :owner_id
    and project.status = :status                                    -- if :status
    and project.type = :type                                        -- if :type
    and (project.created_at, project.id)                          -- if :after_created_at :after_id
        < (:after_created_at, :after_id)                          -- if :after_created_at :after_id
order by project.created_at desc, project.id desc
limit :limit;

-- name: list_changed
-- Projects in the order of their last change, the latest first.
--
-- plan: project_contexts_by_change
select project.*
from project_summaries as project
where true
    and (project.updated_at, project.id)                          -- if :after_updated_at :after_id
        < (:after_updated_at, :after_id)                          -- if :after_updated_at :after_id
order by project.updated_at desc, project.id desc
limit :limit;

-- name: find_by_files
-- Projects that have these files with just these contents.
--
-- They are filtered first: else a generic plan may read the projects one by one in the requested
-- order.
--
-- plan: project_contexts_by_codebase
with found as materialized (
    select project.*
    from project_contexts as project
    where project.codebase @> :files
)

select
    found.id,
    found.name,
    found.type,
    found.status,
    found.owner_id,
    found.dependencies,
    found.deployment_config,
    found.test_coverage,
    found.security_score,
    found.performance_score,
    found.version,
    found.created_at,
    found.updated_at,
    found.last_deployed_at
from found
order by found.id
limit :limit;

-- name: find_by_path
-- Projects that have a file of this path.
--
-- They are filtered first: else a generic plan may read the projects one by one in the requested
-- order.
--
-- plan: project_contexts_by_codebase
with found as materialized (
    select project.*
    from project_contexts as project
    where project.codebase ? :path
)

select
    found.id,
    found.name,
    found.type,
    found.status,
    found.owner_id,
    found.dependencies,
    found.deployment_config,
    found.test_coverage,
    found.security_score,
    found.performance_score,
    found.version,
    found.created_at,
    found.updated_at,
    found.last_deployed_at
from found
order by found.id
limit :limit;

-- name: find_by_dependencies
-- Projects that depend on all of these.
--
-- They are filtered first: else a generic plan may read the projects one by one in the requested
-- order.
--
-- plan: allow full-scan: what most projects depend on is sought in most of them, the rest by index
with found as materialized (
    select project.*
    from project_summaries as project
    where project.dependencies::text[] @> cast(:dependencies as text[])
)

select found.*
from found
order by found.id
limit :limit;

-- name: update
-- Changes the given columns, and nothing else, of the version that the caller has seen.
--
-- plan: project_contexts_pkey
update project_contexts as project
set
    name = :name,                                                   -- if :name
    type = :type,                                                   -- if :type
    status = :status,                                               -- if :status
    owner_id = :owner_id,                                           -- if :owner_id
    codebase = :codebase,                                           -- if :codebase
    dependencies = :dependencies,                                   -- if :dependencies
    deployment_config = :deployment_config,                         -- if :deployment_config
    test_coverage = :test_coverage,                                 -- if :test_coverage
    security_score = :security_score,                               -- if :security_score
    performance_score = :performance_score,                         -- if :performance_score
    last_deployed_at = :last_deployed_at,                           -- if :last_deployed_at
    updated_at = now()
where project.id = :id and project.version = :version
returning
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
    project.last_deployed_at;

-- name: delete
-- Deletes a project, with its secrets and modifications; its plans stay.
--
-- plan: project_contexts_pkey
delete from project_contexts as project
where project.id = :id
returning project.id;

-- name: list_files
-- The files of a project without their contents, in the order of their paths.
--
-- plan: project_contexts_pkey
select
    file.path,
    octet_length(utf8_bytes(file.content)) as "size_bytes!" -- every value is a text: the domain
from project_contexts as project
cross join lateral jsonb_each_text(project.codebase) as file (path, content)
where project.id = :id
order by file.path collate "C";

-- name: get_file
-- The content of one file; the rest does not leave the server.
--
-- plan: project_contexts_pkey
select project.codebase ->> cast(:path as text) as "content!" -- it has one: the condition
from project_contexts as project
where project.id = :id and project.codebase ? :path;

-- name: put_file
-- Writes one file; the rest is not sent. Returns the project's version.
--
-- plan: project_contexts_pkey
update project_contexts as project
set codebase = project.codebase
    || jsonb_build_object(cast(:path as text), cast(:content as text))
where project.id = :id
returning project.version;

-- name: delete_file
-- Deletes one file. Returns the project's version.
--
-- plan: project_contexts_pkey
update project_contexts as project
set codebase = project.codebase - cast(:path as text)
where project.id = :id and project.codebase ? :path
returning project.version;

-- name: environment
-- The secrets of a project; none is an empty object.
--
-- plan: project_contexts_pkey
-- plan: project_environments_once_per_project
select
    project.id as project_id,
    coalesce(environment.variables, '{}')::jsonb as variables
from project_contexts as project
left join project_environments as environment on environment.project_id = project.id
where project.id = :project_id;

-- name: set_environment
-- Sets all secrets of a project. The row is made from an existing one, so that no constraint fails,
-- with a detail that shows it.
--
-- plan: project_contexts_pkey
with owner as (
    select project.id
    from project_contexts as project
    where project.id = :project_id
    for key share
)

insert into project_environments (project_id, variables)
select
    owner.id,
    :variables
from owner
on conflict (project_id) do update
set variables = excluded.variables
returning project_id;

-- name: find_by_variable
-- The projects that have a variable of this name.
--
-- plan: project_environments_by_variables
with found as materialized (
    select environment.project_id
    from project_environments as environment
    where environment.variables ? :name
)

select found.project_id
from found
order by found.project_id
limit :limit;
