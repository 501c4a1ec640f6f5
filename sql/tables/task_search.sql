-- The words of a task, apart from the task: a change of status writes a new version of
-- the task into every index of `tasks`, and a full-text index is the dearest of all.
create table task_search (
    task_id uuid primary key,
    title text not null,
    document tsvector not null,
    constraint task_search_task_exists
        foreign key (task_id) references tasks (id) on delete cascade
);

-- Serves queries/search.sql: find_tasks.
create index task_search_by_words on task_search using gin (document);
-- Serves queries/tasks.sql: find_similar.
create index task_search_by_trigrams on task_search using gin (title shared.gin_trgm_ops);

comment on table task_search is 'The text of tasks, prepared for search. Written by trigger.';
comment on column task_search.document is
    'The title (weight A) and the first 200,000 characters of the description (weight B).';
