-- The allowed transitions of a modification, as rows: a team may allow more, or fewer.
create table modification_status_transitions (
    old_status shared.modification_status not null,
    new_status shared.modification_status not null,
    meaning text not null,
    primary key (old_status, new_status),
    constraint modification_status_transitions_statuses_differ check (old_status <> new_status)
);

comment on table modification_status_transitions is 'The changes of a modification''s status.';

insert into modification_status_transitions (old_status, new_status, meaning) values
    ('pending', 'approved', 'shall be made'),
    ('pending', 'rejected', 'shall not be made'),
    ('approved', 'applied', 'is in the codebase'),
    ('approved', 'failed', 'could not be made'),
    ('approved', 'rejected', 'shall not be made after all'),
    ('failed', 'approved', 'shall be tried again');
