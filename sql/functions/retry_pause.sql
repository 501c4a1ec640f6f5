-- The pause of a task after a failed attempt, by its own back-off: retry_delay, multiplied by
-- retry_factor for each attempt that failed before, up to max_retry_delay. A random part between
-- half and the whole is used, so that tasks which failed together do not come back together:
-- docs/decisions/0031-after-a-failure.md. A task without retry_delay waits as
-- long as the caller sets.
create function retry_pause(of_task uuid, failed_attempts int, otherwise interval)
    returns interval
    language sql
    volatile
    set search_path from current
as $$
    select
        case
            when details.retry_delay is null then otherwise
            else make_interval(
                secs => (0.5 + random() / 2) * least(
                    extract(epoch from details.retry_delay)::float8
                    -- Bounded, as a power of hundreds overflows.
                    * exp(
                        least(failed_attempts * ln(coalesce(details.retry_factor, 2)::float8), 100)
                    ),
                    extract(epoch from coalesce(details.max_retry_delay, interval '1 hour'))::float8,
                    extract(epoch from interval '3650 days')::float8
                )
            )
        end
    from task_details as details
    where details.task_id = of_task;
$$;

comment on function retry_pause(uuid, int, interval) is
    'The pause of a task after a failed attempt, by its own back-off or as the caller sets.';
