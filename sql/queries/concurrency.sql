-- Concurrency keys: how many tasks of a key can be in progress at a time.

-- name: set_limit
-- The limit of a key, which need not be in use yet.
select
    used.key as "key!",  -- set_concurrency_limit: no NULL
    used.at_most as "at_most!",  -- set_concurrency_limit: no NULL
    used.running as "running!"  -- set_concurrency_limit: no NULL
from set_concurrency_limit(:key, :at_most) as used
limit 1;

-- name: list_keys
-- The keys that have been used, or given a limit.
select
    used.key,
    used.at_most,
    used.running
from concurrency_keys as used
order by used.key
limit :limit;
