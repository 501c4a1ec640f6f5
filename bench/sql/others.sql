-- Jobs done, from the other queues' own tables. They are filled through their interfaces.

-- name: empty_procrastinate
truncate public.procrastinate_jobs cascade;

-- name: procrastinate_done
select count(*) as done
from public.procrastinate_jobs as job
where job.status = 'succeeded';

-- name: pgqueuer_done
select count(*) as done
from public.pgqueuer_log as entry
where entry.status = 'successful';

-- name: awa_done
-- A completion is one of a batch of receipts, or an entry of its own.
select
    (
        select coalesce(sum(batch.completed_count), 0)::bigint
        from awa.receipt_completion_batches as batch
    )
    + (select count(*) from awa.done_entries) as done;
