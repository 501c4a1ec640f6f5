-- Transactions that must not miss each other write the same row here first: at READ COMMITTED the
-- second waits and then sees the first; at the higher levels it fails with 40001. Such changes
-- are rare, and nothing waits for another guard.
create table guards (
    name text primary key,
    version bigint not null default 0
);

comment on table guards is
    'A row for each kind of change that has to see all others of its kind.';
comment on column guards.name is 'The changes: parents, pauses or spec_dependencies.';
comment on column guards.version is 'Grows with each statement that makes such changes.';

insert into guards (name) values ('parents'), ('pauses'), ('spec_dependencies');
