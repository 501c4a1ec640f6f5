-- A worker is a reader that claims tasks, reports progress, and ends its claims. It can't set the
-- status of a task, only the ending of a live claim (status_ending), and writes nothing else.
\ir reader.sql
grant execute on function
    claim_tasks,
    complete_and_claim,
    repeated_ending,
    retry_pause
to :"role";
-- To wait for ready tasks, and to wake waiting workers.
grant execute on function
    awaited_types,
    ready_channel,
    start_waiting,
    stop_waiting,
    waiting_key
to :"role";
grant
    update (
        error_message, lease_expires_at, progress_note, progress_pct, scheduled_at, status_agent,
        status_ending, status_note, status_outcome
    )
on tasks to :"role";
grant update (actual_hours) on task_details to :"role";
grant update (commit_sha) on implementation_tasks to :"role";
