-- A large generated plan, for plans of queries, measurements and trying things out: one statement a
-- table, run in this order, so that a new table gets a statement of its own at the end.
--
-- Everything follows from :seed, :tasks (the number of tasks) and a row's number: random numbers
-- are hashes of the two, so the same seed gives the same plan, its moments counted back from now.
-- Skew is as in real plans: a number d, evenly between 0 and 1, is bent by power(d, 3), and of n
-- words the one at power(n, d) is as frequent as Zipf's law says. The id of a task is made of its
-- number and rises with it, as uuidv7's do. The triggers do the rest, as they always do: history of
-- creation, words for search, open dependencies and what follows from them.

-- name: is_empty
-- True if the workspace has no task yet.
--
-- plan: allow full-scan: it stops at the first row
select not exists (select from tasks) as is_empty;

-- name: add_epics
-- An epic for each thousand tasks, the older the more likely done.
insert into epics (
    key, title, description, status, priority, business_value, created_by, created_at
)
select
    'E' || lpad(lot.number::text, 4, '0') as key,
    'Epic ' || lot.number as title,
    'What release ' || lot.number || ' is about.' as description,
    case
        when lot.age < 0.2 then 'archived'
        when lot.age < 0.7 then 'completed'
        when lot.age < 0.95 then 'active'
        else 'draft'
    end::shared.plan_status as status,
    (array['high', 'medium', 'low'])[1 + mod(lot.number, 3)]::shared.level as priority,
    (array['low', 'high', 'medium'])[1 + mod(lot.number, 3)]::shared.level as business_value,
    'planner-' || mod(lot.number, 7) as created_by,
    now() - interval '730 days' * (1 - lot.age) as created_at
from (
    select
        numbers.number,
        numbers.number::float8 / (1 + :tasks::bigint / 1000) as age
    from generate_series(1, 1 + :tasks::bigint / 1000) as numbers (number)
) as lot;

-- name: add_features
-- Twenty features an epic.
insert into features (epic_id, key, title, status, execution_order, created_by, created_at)
with parents as (
    select
        epic.id,
        epic.key,
        epic.status,
        epic.created_by,
        epic.created_at
    from epics as epic
)

select
    parents.id as epic_id,
    parents.key || '-F' || lpad(part.number::text, 2, '0') as key,
    'Part ' || part.number || ' of ' || parents.key as title,
    parents.status,
    part.number as execution_order,
    parents.created_by,
    parents.created_at + part.number * interval '1 hour' as created_at
from parents
cross join generate_series(1, 20) as part (number);

-- name: add_workflows
-- A workflow for each fifty tasks.
insert into workflows (
    id, name, status, github_repo_url, linear_issue_id, trigger_type, created_by, created_at
)
select
    md5(:seed::bigint || ' workflow ' || lot.number)::uuid as id,
    'Workflow ' || lot.number as name,
    (array['active', 'active', 'active', 'paused', 'draft'])[
        1 + mod(lot.number, 5)
    ]::shared.workflow_status as status,
    'https://git.example/repo-' || floor(300 * power(lot.die, 3)) as github_repo_url,
    case when lot.die < 0.6 then 'ENG-' || lot.number / 2 end as linear_issue_id,
    (array['manual', 'webhook', 'webhook', 'schedule', 'event', 'api'])[
        1 + mod(lot.number, 6)
    ]::shared.trigger_type as trigger_type,
    'planner-' || mod(lot.number, 7) as created_by,
    now() - interval '1 hour' * lot.number as created_at
from (
    select
        numbers.number,
        (hashint8extended(numbers.number, :seed::bigint + 7) & 1048575) / 1048576.0::float8 as die
    from generate_series(1, 1 + :tasks::bigint / 50) as numbers (number)
) as lot;

-- name: add_steps
-- Four steps a workflow.
--
-- plan: allow full-scan: it makes something for every one
insert into workflow_steps (workflow_id, key, position, step_type, condition)
with parents as (
    select workflow.id
    from workflows as workflow
)

select
    parents.id as workflow_id,
    step.key,
    step.position,
    'job' as step_type,
    case when step.key = 'deploy' then '$.branch == "main"'::jsonpath end as condition
from parents
cross join (values ('build', 1), ('lint', 1), ('test', 2), ('deploy', 3)) as step (key, position);

-- name: add_needs
-- Each step needs those of the place before its own.
--
-- plan: allow full-scan: it makes something for every one
insert into workflow_step_needs (workflow_id, step_id, needs_id)
with pairs as (
    select
        step.workflow_id,
        step.id as step_id,
        needed.id as needs_id
    from workflow_steps as step
    inner join workflow_steps as needed
        on needed.workflow_id = step.workflow_id and needed.position = step.position - 1
)

select
    pairs.workflow_id,
    pairs.step_id,
    pairs.needs_id
from pairs;

-- name: add_executions
-- Three executions a workflow that is not a draft; of each twentieth active one the latest runs.
--
-- plan: allow full-scan: it makes something for every one
insert into workflow_executions (
    id,
    workflow_id,
    status,
    triggered_by,
    branch,
    pull_request_number,
    total_tasks,
    started_at,
    ended_at
)
with parents as (
    select
        workflow.id,
        workflow.status,
        substr(workflow.name, 10)::bigint as number
    from workflows as workflow
    where workflow.status <> 'draft'
),

runs as (
    select
        parents.id as workflow_id,
        parents.number,
        run.number as run_number,
        parents.number * 3 + run.number as place,
        parents.status = 'active' and run.number = 3 and mod(parents.number, 20) = 0 as is_running
    from parents
    cross join generate_series(1, 3) as run (number)
)

select
    md5(:seed::bigint || ' execution ' || runs.number || '-' || runs.run_number)::uuid as id,
    runs.workflow_id,
    case
        when runs.is_running then 'running'
        else (array['completed', 'completed', 'completed', 'failed', 'cancelled'])[
            1 + mod(runs.place, 5)
        ]
    end::shared.execution_status as status,
    'agent-' || mod(runs.place, 200) as triggered_by,
    case when mod(runs.place, 2) = 0 then 'main' else 'topic-' || mod(runs.place, 2000) end
        as branch,
    case when mod(runs.place, 3) = 0 then 1 + mod(runs.place, 5000) end as pull_request_number,
    mod(runs.place, 20) as total_tasks,
    now() - interval '20 minutes' * runs.place as started_at,
    case
        when not runs.is_running
            then now() - interval '20 minutes' * runs.place
            + interval '1 second' * (10 + mod(runs.place, 600))
    end as ended_at
from runs;

-- name: add_execution_steps
-- The steps of all executions. Those that run have begun two.
--
-- plan: allow full-scan: it makes something for every one
insert into execution_steps (
    execution_id,
    key,
    position,
    step_type,
    condition,
    on_error,
    max_attempts,
    retry_delay,
    needs,
    status,
    attempt,
    started_at,
    deadline_at,
    ended_at
)
with parents as (
    select
        execution.id,
        execution.status,
        execution.started_at,
        execution.ended_at
    from workflow_executions as execution
)

select
    parents.id as execution_id,
    step.key,
    step.position,
    'job' as step_type,
    case when step.key = 'deploy' then '$.branch == "main"'::jsonpath end as condition,
    'stop' as on_error,
    1 as max_attempts,
    '0' as retry_delay,
    step.needs::text[] as needs,
    case
        when parents.status <> 'running' then 'completed'
        when step.position = 1 then 'in_progress'
        else 'pending'
    end::shared.step_status as status,
    (parents.status <> 'running' or step.position = 1)::int as attempt,
    case when parents.status <> 'running' or step.position = 1 then parents.started_at end
        as started_at,
    case
        when parents.status = 'running' and step.position = 1
            then parents.started_at + interval '1 hour'
    end as deadline_at,
    parents.ended_at
from parents
cross join (
    values
    ('build', 1, '{}'),
    ('lint', 1, '{}'),
    ('test', 2, '{build,lint}'),
    ('deploy', 3, '{test}')
) as step (key, position, needs);

-- name: add_projects
-- A project for each fifty tasks, with two files that nearly all have and up to ten more.
insert into project_contexts (
    id,
    name,
    type,
    status,
    owner_id,
    codebase,
    dependencies,
    test_coverage,
    security_score,
    performance_score,
    created_at,
    updated_at,
    last_deployed_at
)
select
    md5(:seed::bigint || ' project ' || lot.number)::uuid as id,
    'Project ' || lot.number as name,
    (array['api', 'web_app', 'library', 'cli', 'service'])[1 + floor(5 * power(lot.die, 2))]
        as type,
    (array['active', 'archived', 'deleted'])[1 + floor(3 * power(lot.die, 4))]
    ::shared.project_status as status,
    'owner-' || floor(500 * power(lot.die, 3)) as owner_id,
    parts.codebase,
    parts.dependencies,
    floor(100 * lot.die) as test_coverage,
    floor(100 * power(lot.die, 0.5)) as security_score,
    floor(100 * (1 - lot.die)) as performance_score,
    now() - interval '50 minutes' * lot.number as created_at,
    now() - interval '50 minutes' * lot.number * lot.die as updated_at,
    case when lot.die < 0.7 then now() - interval '50 minutes' * lot.number * lot.die end
        as last_deployed_at
from (
    select
        numbers.number,
        (hashint8extended(numbers.number, :seed::bigint + 12) & 1048575) / 1048576.0::float8
            as die
    from generate_series(1, 1 + :tasks::bigint / 50) as numbers (number)
) as lot
cross join lateral (
    select
        jsonb_build_object(
            'README.md', 'Project ' || lot.number,
            'src/main.py', repeat('print("' || lot.number || E'")\n', 1 + mod(lot.number, 40)::int)
        )
        || jsonb_object_agg(
            'src/part_' || mod(lot.number * 7 + file.number * file.number, 4000) || '.py',
            'part = ' || mod(lot.number * file.number, 5000)
        ) as codebase,
        array_agg(
            'package-'
            || floor(power(4000.0::float8, mod(lot.number * file.number * 37, 997) / 997.0))
            order by file.number
        ) as dependencies
    from generate_series(1, 1 + floor(10 * power(lot.die, 2))::int) as file (number)
) as parts;

-- name: add_environments
-- The variables of two projects in three.
--
-- plan: allow full-scan: it makes something for every one
insert into project_environments (project_id, variables)
with parents as (
    select
        project.id,
        substr(project.name, 9)::bigint as number
    from project_contexts as project
)

select
    parents.id as project_id,
    jsonb_build_object(
        'DATABASE_URL', 'postgresql://db.example/' || parents.number,
        'TOKEN_' || mod(parents.number, 2000), md5(parents.id::text)
    ) as variables
from parents
where mod(parents.number, 3) <> 0;

-- name: add_modifications
-- Five modifications a project.
--
-- plan: allow full-scan: it makes something for every one
insert into modifications (
    id, project_id, request, requested_by, requested_at, impact_analysis, affected_files
)
with parents as (
    select
        project.id,
        project.created_at,
        substr(project.name, 9)::bigint as number
    from project_contexts as project
)

select
    md5(parents.id || ' modification ' || wish.number)::uuid as id,
    parents.id as project_id,
    'Change ' || wish.number || ' of project ' || parents.number as request,
    'agent-' || floor(200 * power(mod(parents.number * wish.number, 1009) / 1009.0, 3))
        as requested_by,
    parents.created_at + interval '5 minutes' * wish.number as requested_at,
    jsonb_build_object(
        'risk', (array['low', 'low', 'low', 'medium', 'high'])[1 + mod(parents.number, 5)],
        'ticket', mod(parents.number * 5 + wish.number, 50000)
    ) as impact_analysis,
    array['src/main.py', 'src/change_' || wish.number || '.py'] as affected_files
from parents
cross join generate_series(1, 5) as wish (number);

-- name: decide_modifications
-- One of each project's five modifications waits, one is rejected, and three are approved.
--
-- plan: allow full-scan: it decides upon every one
update modifications as modification
set
    status = case right(modification.affected_files[2], 4)
        when '2.py' then 'rejected'
        else 'approved'
    end::shared.modification_status
where right(modification.affected_files[2], 4) <> '1.py';

-- name: end_modifications
-- One of the three approved modifications is applied, another fails.
--
-- plan: allow full-scan: it decides upon every one
update modifications as modification
set
    status = case right(modification.affected_files[2], 4)
        when '3.py' then 'applied'
        else 'failed'
    end::shared.modification_status,
    modified_files = case
        when right(modification.affected_files[2], 4) = '3.py'
            then jsonb_build_object(modification.affected_files[2], 'changed = True')
    end,
    test_results = jsonb_build_object(
        'passed', right(modification.affected_files[2], 4) = '3.py',
        'run', right(modification.id::text, 4)
    )
where right(modification.affected_files[2], 4) in ('3.py', '4.py');

-- name: add_templates
-- A template for each eighty tasks.
insert into templates (
    id,
    name,
    category,
    files,
    required_vars,
    tech_stack,
    estimated_setup_time,
    complexity,
    tags,
    created_at
)
select
    md5(:seed::bigint || ' template ' || lot.number)::uuid as id,
    'Template ' || lot.number as name,
    (array['web', 'api', 'microservice', 'data', 'mobile'])[1 + floor(5 * power(lot.die, 2))]
    ::shared.template_category as category,
    jsonb_build_object(
        'README.md', '# {{NAME}}',
        'src/start_' || mod(lot.number, 3000) || '.py',
        repeat(E'# {{NAME}}\n', mod(lot.number, 40)::int)
    ) as files,
    array['NAME'] as required_vars,
    array['python', 'stack-' || floor(power(1000.0::float8, lot.die))] as tech_stack,
    mod(lot.number, 240) as estimated_setup_time,
    (array['medium', 'simple', 'complex'])[1 + mod(lot.number, 3)]::shared.complexity as complexity,
    array['tag-' || floor(power(500.0::float8, lot.die)), 'tag-' || mod(lot.number, 900)] as tags,
    now() - interval '1 hour' * lot.number as created_at
from (
    select
        numbers.number,
        (hashint8extended(numbers.number, :seed::bigint + 13) & 1048575) / 1048576.0::float8
            as die
    from generate_series(1, 1 + :tasks::bigint / 80) as numbers (number)
) as lot;

-- name: add_design_jobs
-- A design job for each twenty tasks, in the schema that workspaces share; another workspace's
-- plan of the same seed has the same ones. Seven in eight are completed.
insert into design_jobs (
    id, project_id, status, error_message, created_at, updated_at, completed_at
)
select
    md5(:seed::bigint || ' design job ' || lot.number)::uuid as id,
    md5(:seed::bigint || ' designed project ' || floor(power(1000.0::float8, lot.die)))::uuid
        as project_id,
    lot.status,
    case when lot.status = 'failed' then 'No model answers' end as error_message,
    lot.created_at,
    lot.created_at as updated_at,
    case when lot.status = 'completed' then lot.created_at + interval '3 hours' * lot.die end
        as completed_at
from (
    select
        numbers.number,
        (hashint8extended(numbers.number, :seed::bigint + 14) & 1048575) / 1048576.0::float8
            as die,
        case
            when mod(numbers.number, 8) > 0 then 'completed'
            when mod(numbers.number, 24) = 0 then 'failed'
            when mod(numbers.number, 24) = 8 then 'in_progress'
            else 'pending'
        end::shared.design_job_status as status,
        now() - interval '1 day' - interval '10 minutes' * numbers.number as created_at
    from generate_series(1, 7 + :tasks::bigint / 20) as numbers (number)
) as lot
on conflict (id) do nothing;

-- name: add_design_outputs
-- The documents of the completed ones.
--
-- plan: allow full-scan: it makes something for every one
insert into design_outputs (id, design_job_id, output_type, content)
select
    md5(job.id || ' output ' || kind.output_type)::uuid as id,
    job.id as design_job_id,
    kind.output_type,
    'The ' || kind.output_type || E'\n' || repeat('line ', 1 + mod(numbers.number, 50)::int)
        as content
from generate_series(1, 7 + :tasks::bigint / 20) as numbers (number)
inner join design_jobs as job
    on job.id = md5(:seed::bigint || ' design job ' || numbers.number)::uuid
cross join unnest(enum_range(null::shared.design_output_type)) as kind (output_type)
where job.status = 'completed'
on conflict (design_job_id, output_type) do nothing;

-- name: add_design_decisions
-- Three decisions a job.
--
-- plan: allow full-scan: it makes something for every one
insert into design_decisions (
    id, design_job_id, decision_type, value, reasoning, created_at
)
select
    md5(job.id || ' decision ' || decision.number)::uuid as id,
    job.id as design_job_id,
    (array['design_decision', 'library', 'layout'])[decision.number] as decision_type,
    'Choice ' || mod(numbers.number, 20) as value,
    'Matches team expertise' as reasoning,
    job.created_at + interval '10 minutes' * decision.number as created_at
from generate_series(1, 7 + :tasks::bigint / 20) as numbers (number)
inner join design_jobs as job
    on job.id = md5(:seed::bigint || ' design job ' || numbers.number)::uuid
cross join generate_series(1, 3) as decision (number)
on conflict (id) do nothing;

-- name: add_design_progress
-- Four reports a job.
--
-- plan: allow full-scan: it makes something for every one
insert into design_progress (
    id, design_job_id, stage, progress_percentage, created_at
)
select
    md5(job.id || ' progress ' || report.number)::uuid as id,
    job.id as design_job_id,
    (array['prd', 'design_system', 'ux_flow', 'screen_specs'])[report.number] as stage,
    25 * report.number as progress_percentage,
    job.created_at + interval '20 minutes' * report.number as created_at
from generate_series(1, 7 + :tasks::bigint / 20) as numbers (number)
inner join design_jobs as job
    on job.id = md5(:seed::bigint || ' design job ' || numbers.number)::uuid
cross join generate_series(1, 4) as report (number)
on conflict (id) do nothing;

-- name: add_sessions
-- A tech-spec session for each ten tasks, of completed design jobs; most are completed.
--
-- plan: allow full-scan: it makes something for every one
insert into tech_spec_sessions (
    id,
    project_id,
    design_job_id,
    user_id,
    status,
    current_stage,
    progress_percentage,
    session_data,
    failure_reason,
    created_at,
    updated_at,
    completed_at
)
select
    md5(:seed::bigint || ' session ' || lot.number)::uuid as id,
    job.project_id,
    job.id as design_job_id,
    md5('user ' || floor(500 * power(lot.die, 3)))::uuid as user_id,
    lot.status,
    (array['analysis', 'research', 'conversation', 'generation'])[1 + floor(4 * lot.die)]
        as current_stage,
    floor(100 * lot.die) as progress_percentage,
    jsonb_build_object('gaps', mod(lot.number, 9)) as session_data,
    case when lot.status = 'failed' then 'No model answers' end as failure_reason,
    lot.created_at,
    lot.created_at as updated_at,
    case when lot.status = 'completed' then lot.created_at + interval '9 hours' * lot.die end
        as completed_at
from (
    select
        numbers.number,
        (hashint8extended(numbers.number, :seed::bigint + 15) & 1048575) / 1048576.0::float8
            as die,
        (array[
            'completed', 'completed', 'completed', 'failed', 'in_progress', 'paused', 'pending'
        ])[1 + mod(numbers.number, 7)]::shared.session_status as status,
        now() - interval '12 hours' - interval '5 minutes' * numbers.number as created_at
    from generate_series(1, 10 + :tasks::bigint / 10) as numbers (number)
) as lot
inner join design_jobs as job
    on job.id = md5(
        :seed::bigint
        || ' design job '
        || 1 + 8 * (mod(lot.number, 1 + :tasks::bigint / 20) / 8) + mod(lot.number, 7)
    )::uuid;

-- name: add_research
-- Two gaps a session; for two in three something is chosen.
--
-- plan: allow full-scan: it makes something for every one
insert into tech_research (
    id,
    session_id,
    technology_category,
    gap_description,
    researched_options,
    selected_technology,
    selection_reasoning,
    decided_at,
    created_at
)
select
    md5(session.id || ' research ' || gap.number)::uuid as id,
    session.id as session_id,
    'category-' || floor(power(300.0::float8, mod(parts.die * gap.number, 997) / 997.0))
        as technology_category,
    'Gap ' || gap.number as gap_description,
    jsonb_build_array(
        jsonb_build_object('name', 'PostgreSQL', 'score', mod(parts.die, 10)),
        jsonb_build_object('name', 'SQLite', 'score', mod(parts.die, 7))
    ) as researched_options,
    case when parts.is_chosen then 'PostgreSQL' end as selected_technology,
    case when parts.is_chosen then 'The best score' end as selection_reasoning,
    case when parts.is_chosen then session.created_at + interval '1 hour' * gap.number end
        as decided_at,
    session.created_at + interval '10 minutes' * gap.number as created_at
from tech_spec_sessions as session
cross join generate_series(1, 2) as gap (number)
cross join lateral (
    select
        hashtextextended(session.id::text, gap.number) & 1048575 as die,
        mod(hashtextextended(session.id::text, gap.number) & 1048575, 3) > 0 as is_chosen
) as parts;

-- name: add_conversations
-- One to thirty messages a session, mostly few; every fourth is about its first research.
--
-- plan: allow full-scan: it makes something for every one
insert into tech_conversations (
    id, session_id, research_id, role, message, message_type, metadata, created_at
)
select
    md5(parts.id || ' message ' || entry.number)::uuid as id,
    parts.id as session_id,
    case when mod(entry.number, 4) = 3 then md5(parts.id || ' research 1')::uuid end as research_id,
    (array['agent', 'user', 'agent', 'system'])[1 + mod(entry.number, 4)]::shared.conversation_role
        as role,
    'Message ' || entry.number || ' of many' as message,
    (array['question', 'answer', 'decision'])[1 + mod(entry.number, 3)] as message_type,
    case when mod(entry.number, 2) = 0 then jsonb_build_object('tokens', entry.number * 7) end
        as metadata,
    parts.created_at + interval '3 minutes' * entry.number as created_at
from (
    select
        session.id,
        session.created_at,
        (hashtextextended(session.id::text, 3) & 1048575) / 1048576.0::float8 as die
    from tech_spec_sessions as session
) as parts
cross join lateral generate_series(1, 1 + floor(30 * power(parts.die, 2))::int) as entry (number);

-- name: add_documents
-- One to three versions of the documents of completed sessions, which the trigger numbers.
--
-- plan: allow full-scan: it makes something for every one
insert into generated_trd_documents (
    id, session_id, trd_content, api_specification, quality_score, validation_report, created_at
)
select
    md5(parts.id || ' document ' || draft.number)::uuid as id,
    parts.id as session_id,
    '# Requirements' || repeat(E'\nA line', 1 + floor(40 * parts.die)::int) as trd_content,
    'openapi: 3.1.0' as api_specification,
    case when parts.die < 0.8 then floor(100 * power(parts.die, 0.5)) end as quality_score,
    case when parts.die < 0.8 then jsonb_build_object('missing', draft.number) end
        as validation_report,
    parts.created_at + interval '1 hour' * draft.number as created_at
from (
    select
        session.id,
        session.created_at,
        (hashtextextended(session.id::text, 4) & 1048575) / 1048576.0::float8 as die
    from tech_spec_sessions as session
    where session.status = 'completed'
) as parts
cross join lateral generate_series(1, 1 + floor(3 * power(parts.die, 2))::int) as draft (number)
order by parts.id, draft.number;

-- name: add_agent_errors
-- Up to four errors in every third session; agents recovered from three in four.
--
-- plan: allow full-scan: it makes something for every one
insert into agent_error_logs (
    id,
    session_id,
    node,
    error_type,
    message,
    retry_count,
    recovered,
    recovery_strategy,
    created_at
)
select
    md5(parts.id || ' error ' || slip.number)::uuid as id,
    parts.id as session_id,
    'node-' || floor(power(200.0::float8, parts.die)) as node,
    (array['timeout', 'rate_limit', 'parse'])[1 + mod(slip.number, 3)] as error_type,
    'Something went wrong' as message,
    floor(4 * parts.die) as retry_count,
    mod(slip.number + floor(1000 * parts.die)::int, 4) > 0 as recovered,
    case when mod(slip.number + floor(1000 * parts.die)::int, 4) > 0 then 'retry' end
        as recovery_strategy,
    parts.created_at + interval '7 minutes' * slip.number as created_at
from (
    select
        session.id,
        session.created_at,
        (hashtextextended(session.id::text, 5) & 1048575) / 1048576.0::float8 as die
    from tech_spec_sessions as session
    where mod(hashtextextended(session.id::text, 6), 3) = 0
) as parts
cross join lateral generate_series(1, 1 + floor(4 * power(parts.die, 2))::int) as slip (number);

-- name: add_tasks
-- The tasks, the oldest first. Most are finished; of the newest seventh most are open. Those in
-- progress are claimed: a few since a moment ago (the lease of some is over), the rest since long
-- ago, for complete_claims.
--
-- plan: allow full-scan: features and executions are dealt out to the tasks
with feature_list as (
    select
        feature.id,
        row_number() over (order by feature.key) as number
    from features as feature
),

execution_list as (
    select
        execution.id,
        execution.workflow_id,
        row_number() over (order by execution.started_at, execution.id) as number
    from workflow_executions as execution
),

dice as (
    select
        lot.number,
        lot.number::float8 / :tasks::bigint as age,
        (hashint8extended(lot.number, :seed::bigint) & 1048575) / 1048576.0::float8 as status_die,
        (hashint8extended(lot.number, :seed::bigint + 1) & 1048575) / 1048576.0::float8
            as kind_die,
        (hashint8extended(lot.number, :seed::bigint + 2) & 1048575) / 1048576.0::float8
            as agent_die,
        (hashint8extended(lot.number, :seed::bigint + 3) & 1048575) / 1048576.0::float8
            as priority_die,
        (hashint8extended(lot.number, :seed::bigint + 4) & 1048575) / 1048576.0::float8
            as group_die,
        (hashint8extended(lot.number, :seed::bigint + 5) & 1048575) / 1048576.0::float8
            as text_die,
        floor(
            200 * power(
                (hashint8extended(lot.number, :seed::bigint + 12) & 1048575) / 1048576.0::float8, 3
            )
        ) as agent_number,
        (hashint8extended(lot.number, :seed::bigint + 15) & 1048575) / 1048576.0::float8
            as held_die
    from generate_series(1, :tasks::bigint) as lot (number)
),

dealt as (
    select
        dice.number,
        dice.age,
        dice.kind_die,
        dice.agent_die,
        dice.priority_die,
        dice.group_die,
        dice.text_die,
        dice.agent_number,
        dice.held_die,
        now() - interval '730 days' * (1 - dice.age) as created_at,
        case
            when dice.status_die > case when dice.age > 0.86 then 0.3 else 0.98 end
                then case
                    when dice.kind_die < 0.93 then 'pending'
                    when dice.kind_die < 0.97 then 'blocked'
                    else 'in_review'
                end
            when dice.kind_die < 0.2 then 'in_progress'
            when dice.kind_die < 0.8 then 'completed'
            when dice.kind_die < 0.92 then 'archived'
            when dice.kind_die < 0.98 then 'cancelled'
            else 'failed'
        end::shared.task_status as status
    from dice
),

settled as (
    select
        dealt.number,
        dealt.age,
        dealt.kind_die,
        dealt.agent_die,
        dealt.priority_die,
        dealt.group_die,
        dealt.text_die,
        dealt.created_at,
        dealt.status,
        case when dealt.status = 'in_progress' then 'agent-' || dealt.agent_number end
            as claim_agent,
        case
            when dealt.status = 'in_progress' and dealt.held_die < 0.005
                then now() - interval '1 hour' * dealt.held_die * 200
            when dealt.status = 'in_progress' then dealt.created_at - interval '2 days'
        end as started_at
    from dealt
),

made as (
    select
        settled.number,
        overlay(
            md5(:seed::bigint || ' task ' || settled.number)
            placing '0' || to_hex(1704067200000 + settled.number * 60000) || '7' from 1 for 13
        )::uuid as id,
        'TASK-' || lpad(settled.number::text, 7, '0') as key,
        feature_list.id as feature_id,
        execution.workflow_id,
        execution.id as workflow_execution_id,
        case
            when settled.number > 100 and settled.group_die > 0.9
                then overlay(
                    md5(:seed::bigint || ' task ' || settled.number - mod(settled.number, 97) - 1)
                    placing '0'
                    || to_hex(
                        1704067200000 + (settled.number - mod(settled.number, 97) - 1) * 60000
                    )
                    || '7' from 1 for 13
                )::uuid
        end as parent_id,
        (
            array[
                'Fix', 'Add', 'Test', 'Document', 'Remove', 'Measure', 'Rename', 'Review',
                'Split', 'Cache', 'Port', 'Release'
            ]
        )[1 + floor(12 * power(settled.kind_die, 2))] || ' the ' || words.title as title,
        words.description,
        settled.status,
        least(10, 1 + floor(10 * power(settled.priority_die, 0.8)))::smallint as priority,
        case
            when settled.agent_die < 0.7
                then (
                    array['coder', 'tester', 'writer', 'reviewer', 'designer', 'operator']
                )[1 + floor(6 * power(settled.agent_die / 0.7, 3))]
        end as agent_type,
        case
            when settled.agent_die > 0.9
                then 'agent-' || floor(200 * power((settled.agent_die - 0.9) * 10, 3))
        end as assigned_agent,
        floor(100 * settled.text_die)::smallint as complexity_score,
        round((40 * power(settled.text_die, 2))::numeric, 1) as estimated_hours,
        case when settled.text_die < 0.8 then mod(settled.number, 50) end as execution_order,
        case
            when settled.group_die < 0.3
                then jsonb_build_object('language', 'sql', 'level', floor(10 * settled.group_die))
        end as requirements,
        case
            when settled.group_die < 0.5
                then jsonb_build_object('origin', 'seed', 'number', settled.number)
        end as metadata,
        case
            when settled.group_die < 0.5
                then 'docs/plan/' || mod(settled.number, 1000) || '/' || settled.number || '.md'
        end as file_path,
        case when settled.status = 'blocked' then 'waits for a decision' end as blocked_reason,
        case
            when settled.status = 'pending' and settled.text_die < 0.1
                then now() + interval '60 days' * (settled.text_die / 0.1 - 0.5)
        end as scheduled_at,
        'planner-' || floor(50 * power(settled.agent_die, 3)) as created_by,
        case
            when settled.status in ('completed', 'archived')
                then least(now(), settled.created_at + interval '30 days' * settled.text_die)
        end as completed_at,
        settled.claim_agent,
        settled.started_at,
        settled.started_at + interval '55 minutes' as lease_expires_at,
        settled.created_at
    from settled
    -- A row's own number in the condition, so that no two rows share their words.
    cross join lateral (
        select
            string_agg(word.spelling, ' ') filter (where word.place <= 4) as title,
            string_agg(word.spelling, ' ') filter (
                where word.place > 4 and settled.text_die < 0.4
            ) as description
        from (
            select
                place.number as place,
                translate(
                    substr(
                        md5(
                            floor(
                                power(
                                    20000.0::float8,
                                    (
                                        hashint8extended(
                                            settled.number * 32 + place.number, :seed::bigint + 6
                                        ) & 1048575
                                    ) / 1048576.0
                                )
                            )::text
                        ),
                        1,
                        7
                    ),
                    '0123456789abcdef',
                    'aeioubdkmnprstlv'
                ) as spelling
            from generate_series(1, case when settled.text_die < 0.4 then 24 else 4 end)
                as place (number)
        ) as word
    ) as words
    left join feature_list
        on
            feature_list.number = 1 + greatest(
                0,
                floor(
                    settled.age * 20 * (:tasks::bigint / 1000)
                    - 40 * power(settled.group_die, 3)
                )
            )
            and settled.text_die < 0.85
    left join execution_list as execution
        on
            settled.text_die > 0.85
            and execution.number = 1 + floor(:tasks::bigint / 21 * power(settled.group_die, 2))
),

task as (
    insert into tasks (
        id,
        key,
        title,
        status,
        priority,
        agent_type,
        assigned_agent,
        execution_order,
        blocked_reason,
        scheduled_at,
        workflow_id,
        workflow_execution_id,
        claim_agent,
        started_at,
        lease_expires_at,
        completed_at,
        created_at,
        updated_at,
        details_follow
    )
    select
        made.id,
        made.key,
        made.title,
        made.status,
        made.priority,
        made.agent_type,
        made.assigned_agent,
        made.execution_order,
        made.blocked_reason,
        made.scheduled_at,
        made.workflow_id,
        made.workflow_execution_id,
        made.claim_agent,
        made.started_at,
        made.lease_expires_at,
        made.completed_at,
        made.created_at,
        made.created_at as updated_at,
        true as details_follow
    from made
    order by made.number
)

insert into task_details (
    task_id,
    feature_id,
    parent_id,
    description,
    complexity_score,
    estimated_hours,
    requirements,
    metadata,
    file_path,
    created_by,
    priority,
    agent_type,
    assigned_agent,
    created_at,
    updated_at
)
select
    made.id as task_id,
    made.feature_id,
    made.parent_id,
    made.description,
    made.complexity_score,
    made.estimated_hours,
    made.requirements,
    made.metadata,
    made.file_path,
    made.created_by,
    made.priority,
    made.agent_type,
    made.assigned_agent,
    made.created_at,
    made.created_at as updated_at
from made
order by made.number;

-- name: end_attempts
-- A quarter of the claims held since long ago was released, failed, lapsed or revoked, and some of
-- the tasks wait for review.
--
-- plan: allow full-scan: it goes through all that is in progress
with attempt as (
    select
        task.id,
        task.claim_agent,
        (hashtextextended(task.key, :seed::bigint + 13) & 1048575) / 1048576.0::float8 as die
    from tasks as task
    where task.claim_agent is not null and task.started_at < now() - interval '1 day'
)

update tasks as task
set
    status = case
        when attempt.die > 0.2 then 'in_review' else 'pending'
    end::shared.task_status,
    status_agent = attempt.claim_agent,
    status_outcome = case
        when attempt.die > 0.2 then 'submitted'
        else (array['released', 'failed', 'lapsed', 'revoked'])[1 + floor(20 * attempt.die)]
    end::shared.claim_outcome
from attempt
where attempt.die < 0.25 and task.id = attempt.id;

-- name: claim_again
-- Most of these tasks are claimed by other agents, who complete them.
--
-- plan: tasks_pkey
with attempt as (
    select
        task.id,
        (hashtextextended(task.key, :seed::bigint + 14) & 1048575) / 1048576.0::float8 as die
    from tasks as task
    where task.claim_token > 0 and task.status = 'pending'
)

update tasks as task
set
    status = 'in_progress',
    claim_agent = 'agent-' || floor(200 * power(attempt.die, 3)),
    status_agent = 'agent-' || floor(200 * power(attempt.die, 3)),
    lease_expires_at = now() + interval '55 minutes'
from attempt
where attempt.die < 0.8 and task.id = attempt.id;

-- name: complete_claims
-- Claims held since long ago, and second claims, are completed by their holders.
--
-- plan: allow full-scan: it goes through all that is in progress
update tasks as task
set
    status = 'completed',
    status_agent = task.claim_agent,
    status_note = 'done',
    status_outcome = 'completed'
where
    task.claim_agent is not null
    and (task.started_at < now() - interval '1 day' or task.claim_token > 1);

-- name: add_dependencies
-- About two a task, on earlier ones close by, and now and then on a hub with thousands of
-- dependents. A finished task has blocking edges only to finished ones.
--
-- plan: allow full-scan: it makes something for every one
insert into task_dependencies (task_id, depends_on_id, dependency_type, created_by)
with numbered as (
    select
        task.id,
        substr(task.key, 6)::bigint as number,
        task.status not in ('pending', 'blocked') as is_past,
        task.status = 'completed' as is_done
    from tasks as task
),

pairs as (
    select
        numbered.id,
        numbered.is_past,
        place.number as place,
        numbered.number - case
            when place.number = 1 and mod(numbered.number, 20) = 7
                then mod(numbered.number, 5000)
            else
                (place.number - 1) * 60 + 1 + (
                    hashint8extended(
                        numbered.number * 8 + place.number, :seed::bigint + 7
                    ) & 1048575
                ) * 60 / 1048576
        end as blocker_number
    from numbered
    cross join lateral (
        select (hashint8extended(numbered.number, :seed::bigint + 8) & 1048575) / 1048576.0::float8
    ) as dice (die)
    cross join lateral generate_series(1, floor(7 * power(dice.die, 2))::int) as place (number)
)

select
    pairs.id as task_id,
    blocker.id as depends_on_id,
    case
        when pairs.is_past and not blocker.is_done then 'suggests'
        when pairs.place = 2 then 'blocks'
        when pairs.place = 5 then 'suggests'
        else 'requires'
    end::shared.dependency_type as dependency_type,
    'planner-' || mod(pairs.blocker_number, 7) as created_by
from pairs
inner join numbered as blocker on blocker.number = pairs.blocker_number
order by pairs.id
on conflict (task_id, depends_on_id) do nothing;

-- name: add_history
-- The history of finished tasks, as another tracker would have kept it. Some were reopened.
--
-- plan: allow full-scan: it makes something for every one
insert into task_history (
    task_id, old_status, new_status, agent, note, forced, source, created_at
)
with finished as (
    select
        task.id,
        task.status,
        task.created_at,
        (hashtextextended(task.key, :seed::bigint + 9) & 1048575) / 1048576.0::float8 as die
    from tasks as task
    where task.status in ('completed', 'archived', 'cancelled', 'failed')
)

select
    finished.id as task_id,
    case
        when change.number = 1 then 'pending'
        when mod(change.number, 2) = 0 then 'in_progress'
        else finished.status
    end::shared.task_status as old_status,
    case when mod(change.number, 2) = 1 then 'in_progress' else finished.status end as new_status,
    'agent-' || floor(200 * power(finished.die, 3)) as agent,
    case when finished.die < 0.1 then 'as agreed' end as note,
    finished.die > 0.99 as forced,
    'seed' as source,
    least(
        now(), finished.created_at + interval '15 days' * finished.die * change.number
    ) as created_at
from finished
cross join lateral generate_series(1, case when finished.die > 0.98 then 4 else 2 end)
    as change (number);

-- name: add_subtasks
-- A checklist of up to seven lines for every third task.
--
-- plan: allow full-scan: it makes something for every one
insert into subtasks (task_id, position, title, status, created_at)
with listed as (
    select
        task.id,
        task.completed_at is not null as is_done,
        task.created_at,
        (hashtextextended(task.key, :seed::bigint + 10) & 1048575) / 1048576.0::float8 as die
    from tasks as task
)

select
    listed.id as task_id,
    line.position,
    'Step ' || line.position as title,
    case when listed.is_done then 'completed' else 'pending' end::shared.subtask_status as status,
    listed.created_at
from listed
cross join lateral generate_series(1, ceil(7 * power(listed.die * 3, 3))::int) as line (position)
where listed.die < 0.333;

-- name: add_files
-- A file for every twelfth task.
--
-- plan: allow full-scan: it makes something for every one
insert into task_files (task_id, path, content, content_type, created_at)
with listed as (
    select
        task.id,
        task.title,
        task.created_at,
        (hashtextextended(task.key, :seed::bigint + 11) & 1048575) / 1048576.0::float8 as die
    from tasks as task
)

select
    listed.id as task_id,
    'notes/' || file.number || '.md' as path,
    repeat(listed.title || E'\n', 1 + floor(20 * power(listed.die * 12, 4))::int) as content,
    'text/markdown' as content_type,
    listed.created_at
from listed
cross join lateral generate_series(1, 1 + floor(2 * listed.die * 12)::int) as file (number)
where listed.die < 0.083;

-- name: add_imported
-- The last import's record of every twentieth task: files of 250 tasks each, of two trackers.
--
-- plan: allow full-scan: it makes something for every one
insert into imported_tasks (task_id, source_kind, source_path, content, imported_at)
with listed as (
    select
        task.id,
        task.title,
        task.created_at,
        right(task.key, 7)::bigint / 5000 as file
    from tasks as task
    where mod(right(task.key, 7)::bigint, 20) = 7
)

select
    listed.id as task_id,
    case when mod(listed.file, 2) = 0 then 'beads' else 'taskmaster' end as source_kind,
    '/plans/' || listed.file || '.json' as source_path,
    jsonb_build_object('title', listed.title) as content,
    listed.created_at
from listed;

-- name: add_externals
-- An external dependency for each fiftieth task; one in ten of the open tasks' is unhealthy. And a
-- healthy one for each hundredth workflow.
--
-- plan: allow full-scan: it makes something for every one
insert into external_dependencies (
    task_id, workflow_id, service, resource, health, checked_at, next_check_at
)
with owners as (
    select
        task.id as task_id,
        null::uuid as workflow_id,
        right(task.key, 7)::bigint as number
    from tasks as task
    where mod(right(task.key, 7)::bigint, 50) = 0
    union all
    select
        null,
        workflow.id,
        substr(workflow.name, 10)::bigint
    from workflows as workflow
    where mod(substr(workflow.name, 10)::bigint, 100) = 0
)

select
    owners.task_id,
    owners.workflow_id,
    'service-' || mod(owners.number, 40) as service,
    'https://service.example/' || owners.number as resource,
    case
        when owners.task_id is not null and mod(owners.number / 50, 10) = 0 then 'unhealthy'
        else 'healthy'
    end::shared.health as health,
    now() - interval '1 second' * mod(owners.number, 400) as checked_at,
    now() + interval '1 second' * (350 - mod(owners.number, 400)) as next_check_at
from owners
order by owners.task_id, owners.workflow_id;

-- name: add_specs
-- A specification for each eighty tasks, with four phases, and at least twenty. No word is in
-- all of them.
insert into technical_specs (
    spec_number, title, roadmap_item_id, status, spec_type, structure, created_at
)
select
    numbers.number,
    'part' || numbers.number as title,
    'US-' || numbers.number / 2 as roadmap_item_id,
    (array['draft', 'approved', 'in_progress', 'completed'])[
        1 + mod(numbers.number, 4)
    ]::shared.spec_status as status,
    'hierarchical' as spec_type,
    jsonb_build_object(
        'phases',
        (
            select
                jsonb_agg(
                    jsonb_build_object(
                        'name', 'spec' || numbers.number || 'phase' || phases.number,
                        'hours', phases.number,
                        'content',
                        'About topic' || mod(numbers.number * 7 + phases.number, 2000) || '. '
                        || repeat('It is of kind' || mod(numbers.number, 40) || '. ', 100)
                    )
                    order by phases.number
                )
            from generate_series(1, 4) as phases (number)
        )
    ) as structure,
    now() - interval '1 hour' * numbers.number as created_at
from generate_series(1, greatest(20, :tasks::integer / 80)) as numbers (number);

-- name: add_spec_dependencies
-- In each group of ten specifications each builds on the one before it, and every other on two.
--
-- plan: allow full-scan: it makes something for every one
insert into spec_dependencies (spec_id, depends_on_id)
with pairs as (
    select
        spec.id,
        blocker.id as depends_on_id
    from technical_specs as spec
    cross join generate_series(1, 2) as step (number)
    inner join technical_specs as blocker on blocker.spec_number = spec.spec_number - step.number
    where
        mod(spec.spec_number, 10) >= step.number
        and (step.number = 1 or mod(spec.spec_number, 2) = 0)
)

select
    pairs.id as spec_id,
    pairs.depends_on_id
from pairs
order by spec_id, depends_on_id;

-- name: add_implementation_tasks
-- Each twentieth task is part of a specification, with two files of its own; a completed one has a
-- commit, and half of those are merged.
--
-- plan: allow full-scan: it makes something for every one
insert into implementation_tasks (
    task_id,
    spec_id,
    spec_type,
    scope,
    assigned_files,
    branch_name,
    commit_sha,
    merged_at,
    merge_commit_sha
)
with parts as (
    select
        task.id,
        task.key,
        right(task.key, 7)::bigint as number,
        case when task.status = 'completed' then task.completed_at end as completed_at
    from tasks as task
    where mod(right(task.key, 7)::bigint, 20) = 0
),

known as (
    select
        spec.id,
        spec.spec_type,
        spec.spec_number,
        count(*) over () as spec_count
    from technical_specs as spec
)

select
    parts.id,
    known.id,
    known.spec_type,
    'spec' || known.spec_number || 'phase' || 1 + mod(parts.number / 20, 4) as scope,
    array['src/' || parts.number || '.py', 'tests/test_' || parts.number || '.py']
        as assigned_files,
    'implementation-' || parts.key as branch_name,
    case when parts.completed_at is not null then md5(parts.key) end as commit_sha,
    case when mod(parts.number, 40) = 0 then parts.completed_at end as merged_at,
    case
        when parts.completed_at is not null and mod(parts.number, 40) = 0 then md5(parts.key || 'm')
    end as merge_commit_sha
from parts
inner join known on known.spec_number = 1 + mod(parts.number / 20, known.spec_count)
order by parts.id;

-- name: analyze
-- Analyzes the tables by name: for all tables, PostgreSQL's own that all databases share would be
-- locked until the transaction ends.
analyze
    epics,
    features,
    workflows,
    workflow_steps,
    workflow_step_needs,
    workflow_executions,
    execution_steps,
    tasks,
    task_search,
    task_details,
    task_dependencies,
    task_history,
    subtasks,
    task_files,
    external_dependencies,
    technical_specs,
    spec_phases,
    spec_search,
    spec_dependencies,
    implementation_tasks,
    project_contexts,
    project_environments,
    modifications,
    templates,
    design_jobs,
    design_outputs,
    design_decisions,
    design_progress,
    tech_spec_sessions,
    tech_research,
    tech_conversations,
    generated_trd_documents,
    agent_error_logs;
