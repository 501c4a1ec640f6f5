-- The allowed transitions of a tech-spec session, as rows: a team may allow more, or fewer.
create table session_status_transitions (
    old_status shared.session_status not null,
    new_status shared.session_status not null,
    meaning text not null,
    primary key (old_status, new_status),
    constraint session_status_transitions_statuses_differ check (old_status <> new_status)
);

comment on table session_status_transitions is 'The changes of a session''s status.';

insert into session_status_transitions (old_status, new_status, meaning) values
    ('pending', 'in_progress', 'work begins'),
    ('pending', 'failed', 'it cannot begin'),
    ('in_progress', 'paused', 'waits for its user'),
    ('in_progress', 'completed', 'its documents are done'),
    ('in_progress', 'failed', 'it cannot go on'),
    ('paused', 'in_progress', 'goes on'),
    ('paused', 'failed', 'abandoned'),
    ('failed', 'in_progress', 'tried again');
