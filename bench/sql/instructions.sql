-- Beside the public functions: loops for a server in single-user mode, which reads no parameters
-- (`bench.jobs` says how often), and guarantees that can be dropped to see what they cost.

-- name: fill_queue
insert into tasks (key, title)
select
    'J-' || job.number,
    'A job'
from generate_series(1, 3000) as job (number);

-- name: vacuum_queue
vacuum (analyze) tasks, task_details, task_history;

-- name: search_path
select current_setting('search_path') as search_path;

-- name: one_by_one
do $$
declare
    held uuid;
    held_token bigint;
begin
    for i in 1..current_setting('bench.jobs')::int loop
        select claimed.task_id, claimed.token into held, held_token
        from claim_tasks('ann', null, interval '5 minutes', 1) as claimed
        limit 1;
        commit;
        with ended as (
            update tasks as task
            set
                status_ending = 'completed',
                error_message = null,
                status_note = null,
                status_agent = task.claim_agent,
                status_outcome = 'completed'
            where
                task.id = held
                and task.claim_token = held_token
                and task.claim_agent is not null
            returning task.id
        ),

        repeated as (
            select again.id
            from repeated_ending(held, held_token, 'completed') as again
            where not exists (select from ended)
        )

        select done.id into strict held
        from (
            select ended.id from ended
            union all
            select repeated.id from repeated
        ) as done;
        commit;
    end loop;
end;
$$;

-- name: chained
do $$
declare
    held uuid;
    held_token bigint;
begin
    select claimed.task_id, claimed.token into held, held_token
    from claim_tasks('ann', null, interval '5 minutes', 1) as claimed
    limit 1;
    commit;
    for i in 1..current_setting('bench.jobs')::int loop
        select (done.next_claim).task_id, (done.next_claim).token into strict held, held_token
        from complete_and_claim(
            held, held_token, null, 'ann', null, interval '5 minutes', null, null
        ) as done
        limit 1;
        commit;
    end loop;
end;
$$;

-- name: batches
do $$
declare
    held uuid[];
    held_tokens bigint[];
    ended_count int;
begin
    for i in 1..current_setting('bench.jobs')::int / 100 loop
        select array_agg(claimed.task_id), array_agg(claimed.token) into held, held_tokens
        from claim_tasks('ann', null, interval '5 minutes', 100) as claimed;
        commit;
        with live as (
            select task.id
            from unnest(held, held_tokens) as given (task_id, token)
            inner join tasks as task
                on task.id = given.task_id and task.claim_token = given.token
            where task.claim_agent is not null
            order by task.id
            for no key update of task
        ),

        ended as (
            update tasks as task
            set
                status_ending = 'completed',
                error_message = null,
                status_agent = task.claim_agent,
                status_outcome = 'completed'
            from live
            where task.id = live.id
            returning task.id
        )

        select count(*) into ended_count from ended;
        assert ended_count = 100;
        commit;
    end loop;
end;
$$;

-- name: without_foreign_key
alter table task_history drop constraint task_history_task_exists;

-- name: without_time_index
drop index task_history_by_time;

-- name: without_history_guard
drop trigger task_history_50_number_imported on task_history;

-- name: without_dependents
drop trigger tasks_90_pass_on on tasks;

-- name: without_status_index
drop index tasks_by_status;
