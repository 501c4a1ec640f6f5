-- Wakes waiting workers, after a statement that was a transaction of its own.
select pg_notify(ready_channel(), awaited.types)
from awaited_types(true) as awaited (types)
where awaited.types is not null;
