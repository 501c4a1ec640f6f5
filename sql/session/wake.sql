-- Wakes the workers that wait for tasks which the transaction made ready, when it commits.
select pg_notify(ready_channel(), awaited.types)
from awaited_types(false) as awaited (types)
where awaited.types is not null;
