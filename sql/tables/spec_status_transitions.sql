-- The allowed transitions of specifications, as rows: a team may allow more, or fewer.
create table spec_status_transitions (
    old_status shared.spec_status not null,
    new_status shared.spec_status not null,
    meaning text not null,
    primary key (old_status, new_status),
    constraint spec_status_transitions_statuses_differ check (old_status <> new_status)
);

comment on table spec_status_transitions is 'The changes of a specification''s status.';

insert into spec_status_transitions (old_status, new_status, meaning) values
    ('draft', 'in_review', 'ready to be looked at'),
    ('draft', 'approved', 'good as it is'),
    ('draft', 'archived', 'put away'),
    ('in_review', 'draft', 'asks for more work'),
    ('in_review', 'approved', 'good as it is'),
    ('in_review', 'archived', 'put away'),
    ('approved', 'draft', 'to be rewritten'),
    ('approved', 'in_progress', 'its implementation begins'),
    ('approved', 'archived', 'put away'),
    ('in_progress', 'approved', 'its implementation rests'),
    ('in_progress', 'completed', 'implemented'),
    ('in_progress', 'archived', 'abandoned'),
    ('completed', 'in_progress', 'its implementation goes on'),
    ('completed', 'archived', 'put away'),
    ('archived', 'draft', 'taken up again');
