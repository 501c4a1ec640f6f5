-- The allowed transitions of a workflow, as rows: a team may allow more, or fewer.
create table workflow_status_transitions (
    old_status shared.workflow_status not null,
    new_status shared.workflow_status not null,
    meaning text not null,
    primary key (old_status, new_status),
    constraint workflow_status_transitions_statuses_differ check (old_status <> new_status)
);

comment on table workflow_status_transitions is 'The changes of a workflow''s status.';

insert into workflow_status_transitions (old_status, new_status, meaning) values
    ('draft', 'active', 'taken into use'),
    ('active', 'paused', 'starts nothing for a while'),
    ('active', 'completed', 'has served its purpose'),
    ('active', 'failed', 'does not work'),
    ('paused', 'active', 'taken into use again'),
    ('paused', 'completed', 'has served its purpose'),
    ('paused', 'failed', 'does not work'),
    ('failed', 'draft', 'back to the drawing board'),
    ('failed', 'active', 'mended');
