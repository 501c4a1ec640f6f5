-- Every change of the pauses writes this one row. A transaction with an older snapshot does not see
-- the change; where it would write is_paused from that snapshot, it fails with 40001
-- (functions/any_pauses.sql). Nothing else waits.
create table pause_guard (
    only_row boolean primary key default true,
    version bigint not null default 0,
    constraint pause_guard_has_one_row check (only_row)
);

comment on table pause_guard is 'One row, written by every change of the pauses of claiming.';

insert into pause_guard (version) values (0);
