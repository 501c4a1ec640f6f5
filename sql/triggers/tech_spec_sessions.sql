-- A change of a session's status must be a row of session_status_transitions. None is from a
-- status to itself: of two agents that start a session, one is told.
create function refuse_session_move()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if not exists (
        select from session_status_transitions as allowed
        where allowed.old_status = old.status and allowed.new_status = new.status
    ) then
        raise exception using
            errcode = 'TD001',
            message = format('the session cannot go from %s to %s', old.status, new.status),
            detail = format('TD001 %s -> %s', old.status, new.status),
            hint = coalesce(
                (
                    select
                        'From here it can go to '
                        || string_agg(allowed.new_status::text, ', ' order by allowed.new_status)
                        || '.'
                    from session_status_transitions as allowed
                    where allowed.old_status = old.status
                ),
                'From here it goes nowhere; start another.'
            );
    end if;
    return new;
end;
$$;

comment on function refuse_session_move() is
    'Refuses a move that is not in session_status_transitions.';

create trigger tech_spec_sessions_10_refuse_move
    before update of status on tech_spec_sessions
    for each row
    execute function refuse_session_move();

-- A session goes on with what its design job made, so that job must be completed; it stays so.
create function refuse_early_session()
    returns trigger
    language plpgsql
    set search_path from current
as $$
declare
    job_status shared.design_job_status;
begin
    select job.status
    into job_status
    from design_jobs as job
    where job.id = new.design_job_id;
    -- No job: the foreign key says so.
    if job_status <> 'completed' then
        perform raise_refusal(
            'design_job_id',
            format('must name a completed design job; this one is %s', job_status)
        );
    end if;
    return new;
end;
$$;

comment on function refuse_early_session() is
    'Refuses a session in progress whose design job is not completed.';

create trigger tech_spec_sessions_10_refuse_early_start
    before insert or update of status on tech_spec_sessions
    for each row
    when (new.status = 'in_progress')
    execute function refuse_early_session();

-- What a status implies, by whatever route it came: the moment of completion, with all done, and
-- no reason of a failure that is over.
create function settle_session()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if new.status = 'completed' then
        new.completed_at := coalesce(new.completed_at, now());
        new.progress_percentage := 100;
    else
        new.completed_at := null;
    end if;
    if new.status <> 'failed' then
        new.failure_reason := null;
    end if;
    return new;
end;
$$;

comment on function settle_session() is 'Fills in what the status of a session implies.';

create trigger tech_spec_sessions_50_settle
    before insert or update of status on tech_spec_sessions
    for each row
    execute function settle_session();

create trigger tech_spec_sessions_51_touch_updated_at
    before update on tech_spec_sessions
    for each row
    execute function touch_updated_at();
