-- A session works on the documents of its design job, so that job must be completed; it stays so.
create function refuse_early_session()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    job_status shared.design_job_status;
begin
    select job.status
    into job_status
    from design_jobs as job
    where job.id = new.design_job_id;
    -- A missing job is reported by the foreign key.
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
