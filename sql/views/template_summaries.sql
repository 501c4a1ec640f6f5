-- Templates without their files, which may be long.
create view template_summaries as
select
    template.id,
    template.name,
    template.description,
    template.category,
    template.required_vars,
    template.optional_vars,
    template.tech_stack,
    template.estimated_setup_time,
    template.complexity,
    template.tags,
    template.created_at,
    template.updated_at
from templates as template;

comment on view template_summaries is 'Templates without their files.';
