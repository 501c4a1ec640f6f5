-- The allowed transitions, as rows: a team may allow more, or fewer. What is finished
-- (completed, failed, cancelled, archived) reopens only by force.
create table task_status_transitions (
    old_status shared.task_status not null,
    new_status shared.task_status not null,
    meaning text not null,
    primary key (old_status, new_status),
    constraint task_status_transitions_statuses_differ check (old_status <> new_status)
);

comment on table task_status_transitions is
    'The changes of status that need no force.';

-- While no row was ever taken out, claims and completions are not looked up: see
-- triggers/tasks_50_apply_change.sql.
create sequence task_status_transition_removals as bigint;

comment on sequence task_status_transition_removals is
    'Counts removals from task_status_transitions, also those that were rolled back.';

insert into task_status_transitions (old_status, new_status, meaning) values
    ('pending', 'blocked', 'a dependency opened, or someone holds it back'),
    ('pending', 'in_progress', 'work begins'),
    ('pending', 'cancelled', 'no longer wanted'),
    ('blocked', 'pending', 'nothing holds it back any more'),
    ('blocked', 'cancelled', 'no longer wanted'),
    ('in_progress', 'pending', 'given back'),
    ('in_progress', 'blocked', 'something holds it back'),
    ('in_progress', 'in_review', 'work submitted for review'),
    ('in_progress', 'completed', 'work done'),
    ('in_progress', 'failed', 'work failed'),
    ('in_progress', 'cancelled', 'no longer wanted'),
    ('in_review', 'in_progress', 'review asks for more work, done at once'),
    ('in_review', 'pending', 'review asks for more work'),
    ('in_review', 'blocked', 'something holds it back'),
    ('in_review', 'completed', 'approved'),
    ('in_review', 'failed', 'rejected'),
    ('in_review', 'cancelled', 'no longer wanted'),
    ('completed', 'archived', 'put away'),
    ('failed', 'archived', 'put away'),
    ('failed', 'cancelled', 'abandoned'),
    ('cancelled', 'archived', 'put away');
