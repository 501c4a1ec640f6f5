-- The words of a specification, apart from it: a change of its status leaves them alone.
create table spec_search (
    spec_id uuid primary key,
    document tsvector not null,
    constraint spec_search_spec_exists
        foreign key (spec_id) references technical_specs (id) on delete cascade
);

-- Serves queries/specs.sql: find_specs.
create index spec_search_by_words on spec_search using gin (document);

comment on table spec_search is 'The text of specifications, prepared for search. By trigger.';
comment on column spec_search.document is
    'The title (weight A) and the first 200,000 characters of the content (weight B).';
