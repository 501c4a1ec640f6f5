-- Ends a transaction that made a task ready, and wakes waiting workers: one round trip.
select pg_notify(ready_channel(), awaited.types)
from awaited_types(false) as awaited (types)
where awaited.types is not null;
commit;
