-- The concurrency keys that have been used, or given a limit.
create view concurrency_keys as
select
    slot.key,
    count(*) filter (where not slot.is_surplus) as at_most,
    count(slot.task_id) as running
from concurrency_slots as slot
group by slot.key;

comment on view concurrency_keys is 'Concurrency keys: how many tasks of each are in progress.';
comment on column concurrency_keys.at_most is
    'The number of its tasks that can be in progress at a time.';
comment on column concurrency_keys.running is 'The number of its tasks in progress.';
