-- Templates: files to begin projects with.

-- name: create
insert into templates as template (
    name,
    description,
    category,
    files,
    required_vars,
    optional_vars,
    tech_stack,
    estimated_setup_time,
    complexity,
    tags
)
values (
    :name,
    :description,
    :category,
    :files,
    :required_vars,
    :optional_vars,
    :tech_stack,
    :estimated_setup_time,
    :complexity,
    :tags
)
returning
    template.id,
    template.name,
    template.description,
    template.category,
    template.files,
    template.required_vars,
    template.optional_vars,
    template.tech_stack,
    template.estimated_setup_time,
    template.complexity,
    template.tags,
    template.created_at,
    template.updated_at;

-- name: get
--
-- plan: templates_pkey
select template.*
from templates as template
where template.id = :id;

-- name: search
-- Templates without their files, the newest first. A template must have every item of a given list.
--
-- plan: templates_by_creation, templates_by_category, templates_by_complexity,
-- plan: templates_by_tech_stack, templates_by_tags
select template.*
from template_summaries as template
where true
    and template.category = :category                               -- if :category
    and template.complexity = :complexity                           -- if :complexity
    and template.tech_stack::text[] @> cast(:tech_stack as text[])  -- if :tech_stack
    and template.tags::text[] @> cast(:tags as text[])              -- if :tags
order by template.created_at desc, template.id desc
limit :limit;

-- name: find_by_path
-- Templates that have a file of this path.
--
-- plan: templates_by_files
with found as materialized (
    select template.*
    from templates as template
    where template.files ? :path
)

select
    found.id,
    found.name,
    found.description,
    found.category,
    found.required_vars,
    found.optional_vars,
    found.tech_stack,
    found.estimated_setup_time,
    found.complexity,
    found.tags,
    found.created_at,
    found.updated_at
from found
order by found.id
limit :limit;

-- name: update
-- Changes the given columns, and nothing else.
--
-- plan: templates_pkey
update templates as template
set
    name = :name,                                                   -- if :name
    description = :description,                                     -- if :description
    category = :category,                                           -- if :category
    files = :files,                                                 -- if :files
    required_vars = :required_vars,                                 -- if :required_vars
    optional_vars = :optional_vars,                                 -- if :optional_vars
    tech_stack = :tech_stack,                                       -- if :tech_stack
    estimated_setup_time = :estimated_setup_time,                   -- if :estimated_setup_time
    complexity = :complexity,                                       -- if :complexity
    tags = :tags,                                                   -- if :tags
    updated_at = now()
where template.id = :id
returning template.*;

-- name: delete
-- Deletes a template; projects made with it stay.
--
-- plan: templates_pkey
delete from templates as template
where template.id = :id
returning template.id;

-- name: instantiate
-- A new project with a template's files, its variables put in.
--
-- plan: templates_pkey
with template as (
    select
        template.files,
        template.required_vars,
        template.optional_vars,
        template.category
    from templates as template
    where template.id = :template_id
)

insert into project_contexts as project (name, type, owner_id, codebase)
select
    :name,
    coalesce(:type, template.category::text),
    :owner_id,
    fill_template(template.files, template.required_vars, template.optional_vars, :variables)
from template
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
