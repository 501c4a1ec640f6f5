-- One trigger for every change of a task: it derives, refuses, begins or ends a claim, and records.
-- One, because each trigger more costs every claim; the row is locked while it runs, so the numbers
-- of history have no gaps. And few expressions on the path of claims and completions, because
-- PL/pgSQL prepares each of them again in every transaction: what is rare stands behind one
-- condition.
--
-- No statement, by whatever route, can write a wrong pair:
--   pending with open dependencies is blocked; blocked by nothing is pending
--   a reason only while blocked; lifting the block by hand drops the reason
--   the moments of its status; a reopened task counts its attempts from 0
--   a claim only while in progress, with a lease that ends; its token is the old one plus 1
--   pending after the last of max_attempts has failed
--
-- A transition that an importer found in another tracker has that one's time, as far as it is past
-- and does not precede the claim that it ends.
create function apply_task_change()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
as $$
declare
    moment timestamptz := clock_timestamp();
    ended shared.claim_outcome;
    token bigint;
    tracker text;
    is_automatic boolean;
    is_rare boolean;
begin
    new.updated_at := greatest(moment, old.updated_at + interval '1 microsecond');
    -- A role that only claims may not set the status: it sets how its claim ends.
    if new.status_ending is not null then
        if
            old.claim_agent is null
            or new.status_ending not in ('completed', 'in_review', 'failed', 'pending')
        then
            perform raise_broken_rule(
                'tasks_ending_of_a_claim',
                format('task %s has no claim that ends as %s', new.key, new.status_ending)
            );
        end if;
        new.status := new.status_ending;
        new.status_ending := null;
    end if;

    -- Anything but a plain claim or completion.
    if
        new.status not in ('in_progress', 'completed')
        or old.status not in ('pending', 'in_progress')
        or (new.status = 'completed' and old.status = 'pending')
        or new.priority <> old.priority
        or new.claim_token <> old.claim_token
        or new.status_seq <> old.status_seq
        or new.is_ready <> old.is_ready
        or new.scheduled_at is not null
        or new.effective_priority > new.priority
        or new.workflow_id is distinct from old.workflow_id
        or new.blocked_reason is not null
        or new.status_source is not null
        or old.progress_pct is not null
        or old.progress_note is not null
    then
        is_rare := true;
        new.claim_token := old.claim_token;
        -- An agent may be called taskdb as well; this column only the owner's functions can write.
        is_automatic := new.status_seq = 0;
        new.status_seq := old.status_seq;
        new.is_due := coalesce(new.scheduled_at <= moment, true);
        -- Lowering is done by pass_on_priority, which knows the dependents.
        new.effective_priority := least(new.effective_priority, new.priority);
        if new.workflow_id is distinct from old.workflow_id then
            new.workflow_is_healthy := health_of_workflow(new.workflow_id);
        end if;
        if new.status_source is not null then
            tracker := new.status_source;
            moment := least(
                moment,
                greatest(
                    case
                        when new.status_at < '0001-01-01 00:00:00+00' then '0001-01-01 00:00:00+00'
                        else new.status_at
                    end,
                    case when old.claim_agent is not null then old.started_at end
                )
            );
        end if;
        new.status_source := null;
        new.status_at := null;

        if old.claim_agent is not null and new.status not in ('in_progress', 'completed') then
            -- The attempt ends, and not with its work done.
            ended := coalesce(nullif(new.status_outcome, 'completed'), 'revoked');
            if ended in ('failed', 'lapsed') then
                new.failed_attempts := old.failed_attempts + 1;
            end if;
        end if;
        if
            old.status in ('completed', 'failed', 'cancelled', 'archived')
            and new.status not in ('completed', 'failed', 'cancelled', 'archived')
        then
            -- Reopened.
            new.failed_attempts := 0;
            new.is_paused := is_task_paused(new.id, new.agent_type);
        end if;
        -- Lifting the block by hand drops the reason.
        if
            old.status = 'blocked'
            and new.status = 'pending'
            and new.blocked_reason is not distinct from old.blocked_reason
        then
            new.blocked_reason := null;
        end if;
        if new.status in ('pending', 'blocked') then
            if new.failed_attempts >= greatest(new.max_attempts, 1) then
                new.status := 'failed';
                new.status_forced := coalesce(new.status_forced, false)
                    or old.status in ('pending', 'blocked');
                new.status_note := coalesce(new.status_note, 'no attempt is left');
                new.error_message := case
                    when ended = 'failed' then new.error_message
                    else new.status_note
                end;
            elsif new.status = 'pending' and new.open_dependencies > 0 then
                new.status := 'blocked';
            elsif
                new.status = 'blocked'
                and new.open_dependencies = 0
                and new.blocked_reason is null
            then
                new.status := 'pending';
            end if;
        end if;
        if new.status <> 'blocked' and new.blocked_reason is not null then
            -- A reason that the statement has just set is refused, not dropped in silence.
            if new.blocked_reason is distinct from old.blocked_reason then
                perform raise_broken_rule(
                    'tasks_reason_only_while_blocked',
                    format('task %s is %s: only a blocked task has a reason', new.key, new.status)
                );
            end if;
            new.blocked_reason := null;
        end if;
        if new.status <> old.status then
            new.blocked_at := case when new.status = 'blocked' then moment end;
            new.completed_at := case when new.status = 'archived' then old.completed_at end;
            if old.status = 'in_progress' then
                new.progress_pct := null;
                new.progress_note := null;
            end if;
        end if;
        new.is_ready :=
            new.status = 'pending'
            and new.is_due
            and new.unhealthy_dependencies = 0
            and new.workflow_is_healthy
            and not new.is_paused;
        if new.concurrency_key is not null or old.concurrency_key is not null then
            if new.waits_for_slot then
                new.waits_for_slot := new.is_ready;
                new.is_ready := false;
            end if;
            if old.is_ready and not new.is_ready and not new.waits_for_slot then
                -- Its place in the line is free.
                perform look_at_slots_again(old.concurrency_key);
            end if;
        end if;
        if new.is_ready and not old.is_ready then
            perform note_ready(new.for_type);
        end if;
        new.is_passed_on :=
            new.has_dependents
            or new.priority <> old.priority
            or new.status in ('blocked', 'cancelled', 'archived')
            or old.status in ('cancelled', 'archived');
    end if;

    if new.status = old.status then
        new.claim_agent := old.claim_agent;
        new.claim_request_id := old.claim_request_id;
        new.status_agent := null;
        new.status_note := null;
        new.status_forced := null;
        new.status_outcome := null;
        return new;
    end if;

    -- From here on it is a transition.
    if new.status = 'in_progress' then
        new.is_ready := false;
        new.started_at := moment;
        if new.lease_expires_at > now() and new.claim_agent is not null then
            token := old.claim_token + 1;
            new.claim_token := token;
        elsif new.claim_agent is null then
            new.lease_expires_at := null;
            new.claim_request_id := null;
        else
            perform raise_broken_rule(
                'tasks_claim_has_a_lease',
                format('the lease of a claim of task %s must end after now', new.key)
            );
        end if;
    else
        if old.claim_agent is not null then
            token := old.claim_token;
            ended := coalesce(
                ended,
                case when new.status_outcome = 'completed' then new.status_outcome else 'revoked' end
            );
            new.claim_agent := null;
            new.lease_expires_at := null;
            new.claim_request_id := null;
        end if;
        if new.status = 'completed' then
            new.completed_at := moment;
        end if;
    end if;
    if
        new.has_files
        or new.concurrency_key is not null
        or old.concurrency_key is not null
        or old.details_follow
    then
        new.waits_for_slot := false;
        if new.concurrency_key is not null and new.status = 'in_progress' then
            if not take_slot(new.id, new.concurrency_key) then
                perform raise_full_key(new.key, new.concurrency_key);
            end if;
        elsif old.concurrency_key is not null and old.status = 'in_progress' then
            perform give_slot_back(new.id);
        end if;
        if new.has_files and new.status = 'in_progress' then
            if not take_files(new.id) then
                perform raise_locked_file(new.id);
            end if;
        elsif new.has_files and old.status = 'in_progress' then
            delete from file_locks as file where file.task_id = new.id;
            -- Agents of any type may have been passed over for these files.
            perform note_ready('');
        end if;
        if old.details_follow and old.status_seq = 1 and new.status <> 'cancelled' then
            -- A task without its second row is still being created: its first history row is
            -- written with that one, with the status of that moment. But that it ended with its
            -- blocker is a transition, or it would not come back with it.
            if not has_details(new.id) then
                new.status_agent := null;
                new.status_note := null;
                new.status_forced := null;
                new.status_outcome := null;
                return new;
            end if;
        end if;
    end if;

    -- A plain claim or completion is allowed as shipped, unless a row was ever taken out.
    if is_rare or pg_sequence_last_value('task_status_transition_removals') is not null then
        perform raise_invalid_transition(new.key, old.status, new.status)
        where
            new.status_forced is not true
            and not exists (
                select from task_status_transitions as allowed
                where allowed.old_status = old.status and allowed.new_status = new.status
            );
    end if;
    new.status_seq := old.status_seq + 1;
    insert into task_history (
        task_id, seq, old_status, new_status, forced, automatic, outcome, token, created_at,
        agent, note, progress_pct, progress_note, source
    )
    values (
        new.id,
        new.status_seq,
        old.status,
        new.status,
        coalesce(new.status_forced, false),
        coalesce(is_automatic, false),
        ended,
        token,
        moment,
        coalesce(new.status_agent, new.claim_agent, session_user),
        new.status_note,
        old.progress_pct,
        old.progress_note,
        tracker
    );
    new.status_agent := null;
    new.status_note := null;
    new.status_forced := null;
    new.status_outcome := null;
    return new;
end;
$$;

comment on function apply_task_change() is
    'Derives, refuses and records a change of a task; begins and ends its claim.';

-- Every column but those of a heartbeat (lease_expires_at, progress_pct, progress_note), which is
-- no change of the task, and those that follow from other tasks alone (effective_priority,
-- graph_rank, has_dependents, is_passed_on). A column list costs nothing where a WHEN clause is
-- parsed again by each statement.
create trigger tasks_50_apply_change
    before update of
    id, key, title, status, priority, execution_order, agent_type,
    assigned_agent, workflow_id, workflow_execution_id, scheduled_at, blocked_reason,
    error_message, open_dependencies, unhealthy_dependencies, max_attempts, failed_attempts,
    version, status_seq, workflow_is_healthy, is_due, is_paused, has_files,
    concurrency_key, waits_for_slot,
    is_ready, claim_token, claim_agent, claim_request_id, started_at, blocked_at,
    completed_at, created_at, updated_at, status_agent, status_note, status_forced,
    status_outcome, status_ending, status_source, status_at, details_follow
    on tasks
    for each row
    execute function apply_task_change();
