-- Every new dependency between specifications writes this one row first, so that two which
-- would close a cycle together meet here: at READ COMMITTED the second waits and then sees the
-- first; at the higher levels it fails with 40001. Such edges are few; nothing else waits.
create table spec_guard (
    only_row boolean primary key default true,
    version bigint not null default 0,
    constraint spec_guard_has_one_row check (only_row)
);

comment on table spec_guard is 'One row, written by every new dependency between specifications.';

insert into spec_guard (version) values (0);
