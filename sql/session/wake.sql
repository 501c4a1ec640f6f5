-- Wakes who waits for what the transaction made ready, when it commits.
select pg_notify(ready_channel(), awaited.types)
from awaited_types(false) as awaited (types)
where awaited.types is not null;
