-- A step begins when the steps that it needs are done. Both are of one workflow, by the foreign
-- keys, and the graph has no cycle, by a trigger.
create table workflow_step_needs (
    workflow_id uuid not null,
    step_id uuid not null,
    needs_id uuid not null,
    primary key (workflow_id, step_id, needs_id),
    constraint workflow_step_needs_step_exists
        foreign key (workflow_id, step_id)
        references workflow_steps (workflow_id, id) on delete cascade,
    constraint workflow_step_needs_needs_exists
        foreign key (workflow_id, needs_id)
        references workflow_steps (workflow_id, id) on delete cascade
);

-- Serves queries/workflows.sql: list_steps, and the deletion of a step that others need.
create index workflow_step_needs_by_needed on workflow_step_needs (workflow_id, needs_id);

comment on table workflow_step_needs is 'step_id begins when needs_id is done.';
