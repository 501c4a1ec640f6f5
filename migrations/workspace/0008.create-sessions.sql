-- 0008: tech-spec sessions: research, conversations, documents, errors of agents.
-- Locks: share row exclusive on shared.design_jobs, for milliseconds (a new table's foreign key).
-- Check: select count(*) from session_status_transitions;  -- expect 8
set local lock_timeout = '2s';

-- A tech-spec session turns what a design job made into technical requirements: it researches,
-- talks with its user, and generates documents. It goes with its design job, in another schema.
create table tech_spec_sessions (
    id uuid primary key default uuidv7(),
    project_id uuid not null,
    design_job_id uuid not null,
    user_id uuid,
    status shared.session_status not null default 'pending',
    current_stage shared.name_text,
    progress_percentage shared.percentage not null default 0,
    session_data shared.object_json,
    websocket_url shared.name_text,
    failure_reason shared.note_text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    completed_at timestamptz,
    newest_version shared.counter not null default 0,
    constraint tech_spec_sessions_design_job_exists
        foreign key (design_job_id) references shared.design_jobs (id) on delete cascade,
    constraint tech_spec_sessions_completed_at_exactly_when_completed
        check ((status = 'completed') = (completed_at is not null)),
    constraint tech_spec_sessions_completed_is_all
        check (status <> 'completed' or progress_percentage = 100),
    constraint tech_spec_sessions_reason_only_when_failed
        check (failure_reason is null or status = 'failed')
);

-- Serve queries/sessions.sql: list_sessions, newest first; by status also list_with_jobs, and by
-- creation summary.
create index tech_spec_sessions_by_creation on tech_spec_sessions (created_at desc, id desc);
create index tech_spec_sessions_by_status
    on tech_spec_sessions (status, created_at desc, id desc);
create index tech_spec_sessions_by_project
    on tech_spec_sessions (project_id, created_at desc, id desc);
create index tech_spec_sessions_by_design_job
    on tech_spec_sessions (design_job_id, created_at desc, id desc);
create index tech_spec_sessions_by_user
    on tech_spec_sessions (user_id, created_at desc, id desc);

comment on table tech_spec_sessions is 'Work on technical requirements, from what was designed.';
comment on column tech_spec_sessions.project_id is 'The project of its design job.';
comment on column tech_spec_sessions.user_id is 'Who asked for it, as the service knows people.';
comment on column tech_spec_sessions.current_stage is 'Where its agent is, in the agent''s words.';
comment on column tech_spec_sessions.session_data is
    'What the agent keeps between its steps, as an object.';
comment on column tech_spec_sessions.websocket_url is 'Where its progress can be followed.';
comment on column tech_spec_sessions.failure_reason is 'Why it failed. Cleared by trigger.';
comment on column tech_spec_sessions.newest_version is
    'The highest version that a document of it was given, 0 before. Kept by trigger.';

-- The allowed moves of a tech-spec session, as rows: a team may allow more, or fewer.
create table session_status_transitions (
    old_status shared.session_status not null,
    new_status shared.session_status not null,
    meaning text not null,
    primary key (old_status, new_status),
    constraint session_status_transitions_is_a_move check (old_status <> new_status)
);

comment on table session_status_transitions is 'The changes of a session''s status.';

insert into session_status_transitions (old_status, new_status, meaning) values
    ('pending', 'in_progress', 'work begins'),
    ('pending', 'failed', 'it cannot begin'),
    ('in_progress', 'paused', 'waits for its user'),
    ('in_progress', 'completed', 'its documents are done'),
    ('in_progress', 'failed', 'it cannot go on'),
    ('paused', 'in_progress', 'goes on'),
    ('paused', 'failed', 'given up'),
    ('failed', 'in_progress', 'tried again');

-- A gap in the technology of a session, the options that were found for it, and the choice.
create table tech_research (
    id uuid primary key default uuidv7(),
    session_id uuid not null,
    technology_category shared.name_text not null,
    gap_description shared.note_text,
    researched_options shared.option_list,
    selected_technology shared.name_text,
    selection_reasoning shared.note_text,
    decided_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint tech_research_session_exists
        foreign key (session_id) references tech_spec_sessions (id) on delete cascade,
    constraint tech_research_known_with_its_session unique (session_id, id),
    constraint tech_research_selected_is_an_option
        check (
            selected_technology is null
            or coalesce(
                jsonb_path_query_array(researched_options, '$[*].name') ? selected_technology,
                false
            )
        ),
    constraint tech_research_decided_at_exactly_with_selection
        check ((selected_technology is null) = (decided_at is null)),
    constraint tech_research_reasoning_only_with_selection
        check (selection_reasoning is null or selected_technology is not null)
);

-- Serve queries/research.sql: list_for_session, in order, of one category or of all.
create index tech_research_in_order on tech_research (session_id, created_at, id);
create index tech_research_by_session_and_category
    on tech_research (session_id, technology_category, created_at, id);
-- Serves queries/research.sql: list_by_category, newest first.
create index tech_research_by_category
    on tech_research (technology_category, created_at desc, id desc);

comment on table tech_research is 'Gaps in technology, what was found for them, the choices.';
comment on column tech_research.gap_description is 'What is missing.';
comment on column tech_research.researched_options is
    'Objects, each with a name and whatever else was found out about it.';
comment on column tech_research.selected_technology is 'The name of one of the options.';
comment on column tech_research.decided_at is 'When it was chosen.';

-- What was said in a session. Rows are added, never changed; they go with their session, or by
-- `taskdb prune` when they are old.
create table tech_conversations (
    id uuid primary key default uuidv7(),
    session_id uuid not null,
    research_id uuid,
    role shared.conversation_role not null,
    message shared.note_text not null,
    message_type shared.name_text,
    metadata shared.object_json,
    created_at timestamptz not null default clock_timestamp(),
    constraint tech_conversations_session_exists
        foreign key (session_id) references tech_spec_sessions (id) on delete cascade,
    constraint tech_conversations_research_is_of_the_session
        foreign key (session_id, research_id) references tech_research (session_id, id)
        on delete cascade
);

-- Serves queries/conversations.sql: list_messages, newest first.
create index tech_conversations_by_session
    on tech_conversations (session_id, created_at desc, id desc);
-- Serves queries/conversations.sql: list_about_research, newest first.
create index tech_conversations_by_research
    on tech_conversations (session_id, research_id, created_at desc, id desc)
    where research_id is not null;
-- Serves queries/retention.sql: prune_conversations, count_conversations.
create index tech_conversations_by_age on tech_conversations (created_at, id);

comment on table tech_conversations is 'What was said in sessions.';
comment on column tech_conversations.research_id is 'The research of the session it is about.';
comment on column tech_conversations.message_type is 'What it is, in the agent''s words.';
comment on column tech_conversations.metadata is 'What the agent keeps with it, as an object.';

-- Technical requirements (TRD) that a session generated, version after version.
create table generated_trd_documents (
    id uuid primary key default uuidv7(),
    session_id uuid not null,
    version integer not null,
    trd_content shared.note_text not null,
    api_specification shared.note_text,
    database_schema shared.note_text,
    architecture_diagram shared.note_text,
    tech_stack_document shared.note_text,
    quality_score shared.percentage,
    validation_report shared.object_json,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint generated_trd_documents_session_exists
        foreign key (session_id) references tech_spec_sessions (id) on delete cascade,
    -- Serves queries/documents.sql: newest, read backwards.
    constraint generated_trd_documents_version_once_per_session unique (session_id, version),
    constraint generated_trd_documents_version_is_positive check (version > 0)
);

-- Serves queries/documents.sql: list_by_quality, best first.
create index generated_trd_documents_by_quality
    on generated_trd_documents (quality_score desc, id desc)
    where quality_score is not null;

comment on table generated_trd_documents is 'Technical requirements, version by version.';
comment on column generated_trd_documents.version is
    'Counted from 1 on within the session, by trigger.';
comment on column generated_trd_documents.validation_report is
    'What its validation found, as an object.';

-- An error of an agent in a session, how often it was tried again, and whether that helped.
create table agent_error_logs (
    id uuid primary key default uuidv7(),
    session_id uuid not null,
    node shared.name_text not null,
    error_type shared.name_text not null,
    message shared.note_text not null,
    stack_trace shared.note_text,
    retry_count shared.counter not null default 0,
    recovered boolean not null default false,
    recovery_strategy shared.name_text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint agent_error_logs_session_exists
        foreign key (session_id) references tech_spec_sessions (id) on delete cascade
);

-- Serves queries/agent_errors.sql: list_for_session, newest first.
create index agent_error_logs_by_session
    on agent_error_logs (session_id, created_at desc, id desc);
-- Serve queries/agent_errors.sql: list_errors, newest first.
create index agent_error_logs_by_node
    on agent_error_logs (node, created_at desc, id desc);
create index agent_error_logs_by_recovery
    on agent_error_logs (recovered, created_at desc, id desc);
create index agent_error_logs_by_node_and_recovery
    on agent_error_logs (node, recovered, created_at desc, id desc);
-- Serves queries/retention.sql: prune_errors, count_errors; and queries/agent_errors.sql:
-- recovery_since.
create index agent_error_logs_by_age on agent_error_logs (created_at, id);

comment on table agent_error_logs is 'Errors of agents in sessions, and their recovery.';
comment on column agent_error_logs.node is 'The step of the agent in which it happened.';
comment on column agent_error_logs.error_type is 'What kind of error, in the agent''s words.';
comment on column agent_error_logs.retry_count is 'How often the agent has tried again.';
comment on column agent_error_logs.recovery_strategy is 'What the agent did about it.';

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
    from shared.design_jobs as job
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

create trigger tech_research_50_touch_updated_at
    before update on tech_research
    for each row
    execute function touch_updated_at();

-- What was said stays said.
create function refuse_changed_message()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    raise exception using
        errcode = 'TD003',
        message = 'what was said is not changed',
        detail = 'TD003 update',
        hint = 'Append another message.';
end;
$$;

comment on function refuse_changed_message() is 'Refuses to change what was said.';

create trigger tech_conversations_10_refuse_change
    before update on tech_conversations
    for each row
    execute function refuse_changed_message();

-- A document gets the version after its session's newest. Writing the session's row is what has
-- two writers of one session take turns, at every isolation level: a look at the highest version
-- would show both the same. docs/decisions/0011-document-versions.md
create function number_document()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    update tech_spec_sessions as session
    set newest_version = session.newest_version + 1
    where session.id = new.session_id
    returning session.newest_version into new.version;
    -- Of a session that is not there the foreign key tells.
    new.version := coalesce(new.version, 1);
    return new;
end;
$$;

comment on function number_document() is 'Gives a document its version.';

create trigger generated_trd_documents_50_number_version
    before insert on generated_trd_documents
    for each row
    execute function number_document();

-- The version of a document, and whose it is, are what it is known by.
create function refuse_renumbered_document()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    raise exception using
        errcode = 'TD003',
        message = 'a document keeps its session and its version',
        detail = 'TD003 update',
        hint = 'Add another one.';
end;
$$;

comment on function refuse_renumbered_document() is
    'Refuses to change the session or the version of a document.';

create trigger generated_trd_documents_10_refuse_renumbering
    before update of session_id, version on generated_trd_documents
    for each row
    when (
        old.session_id is distinct from new.session_id
        or old.version is distinct from new.version
    )
    execute function refuse_renumbered_document();

create trigger generated_trd_documents_51_touch_updated_at
    before update on generated_trd_documents
    for each row
    execute function touch_updated_at();

create trigger agent_error_logs_50_touch_updated_at
    before update on agent_error_logs
    for each row
    execute function touch_updated_at();

-- Sessions with the design jobs that they began with: one schema joined with the other.
create view session_jobs as
select
    session.id,
    session.project_id,
    session.user_id,
    session.status,
    session.current_stage,
    session.progress_percentage,
    session.created_at,
    session.design_job_id,
    job.project_id as design_project_id,
    job.status as design_status,
    job.completed_at as design_completed_at
from tech_spec_sessions as session
inner join shared.design_jobs as job on job.id = session.design_job_id;

comment on view session_jobs is 'Sessions with their design jobs.';

-- What each session took and what came of it. Each figure is looked up for the session that is
-- asked for, so that reading few sessions costs little.
create view session_figures as
select
    session.id,
    session.project_id,
    session.status,
    session.created_at,
    session.completed_at - session.created_at as duration,
    error.error_count,
    error.recovered_count,
    error.retry_count,
    session.newest_version,
    document.quality_score
from tech_spec_sessions as session
cross join lateral (
    select
        count(*) as error_count,
        count(*) filter (where log.recovered) as recovered_count,
        coalesce(sum(log.retry_count), 0) as retry_count
    from agent_error_logs as log
    where log.session_id = session.id
) as error
left join lateral (
    select newest.quality_score
    from generated_trd_documents as newest
    where newest.session_id = session.id
    order by newest.version desc
    limit 1
) as document on true;

comment on view session_figures is
    'Of each session: how long it took, its errors, the quality of its newest document.';
comment on column session_figures.duration is
    'From its creation to its completion, pauses included; null before.';

-- How sessions went, by the status in which they are now.
create view session_statistics as
select
    figures.status,
    count(*) as session_count,
    avg(figures.duration) as average_duration,
    sum(figures.error_count)::bigint as error_count,
    sum(figures.recovered_count)::bigint as recovered_count,
    round(100.0 * count(*) filter (where figures.error_count > 0) / count(*), 2)
        as sessions_with_errors_pct,
    round(avg(figures.quality_score), 2) as average_quality
from session_figures as figures
group by figures.status;

comment on view session_statistics is 'How sessions went, by their status.';
comment on column session_statistics.sessions_with_errors_pct is
    '100 x sessions in which there was an error / all.';

-- How often agents get over their errors, by the node in which they happen.
create view error_recovery as
select
    log.node,
    count(*) as error_count,
    count(*) filter (where log.recovered) as recovered_count,
    round(100.0 * count(*) filter (where log.recovered) / count(*), 2) as recovery_pct,
    round(avg(log.retry_count), 2) as average_retries,
    max(log.created_at) as last_error_at
from agent_error_logs as log
group by log.node;

comment on view error_recovery is 'Errors by node, and how many agents recovered from.';
comment on column error_recovery.recovery_pct is '100 x recovered / all.';
