-- Moving a task to another parent writes this one row first, so that two moves which
-- would close a cycle together meet here: at READ COMMITTED the second waits and then sees
-- the first; at the higher levels it fails with 40001. Moves are rare; nothing else waits.
create table parent_guard (
    only_row boolean primary key default true,
    version bigint not null default 0,
    constraint parent_guard_has_one_row check (only_row)
);

comment on table parent_guard is 'One row, written by every change of a task''s parent.';

insert into parent_guard (version) values (0);
