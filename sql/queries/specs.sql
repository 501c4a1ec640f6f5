-- Technical specifications. Lists and writes return them without their content.

-- name: create
insert into technical_specs (
    spec_number,
    title,
    roadmap_item_id,
    status,
    spec_type,
    content,
    structure,
    phase,
    current_phase_status,
    estimated_hours,
    actual_hours,
    created_by,
    updated_by,
    file_path
)
values (
    :spec_number,
    :title,
    :roadmap_item_id,
    :status,
    :spec_type,
    :content,
    :structure,
    :phase,
    :current_phase_status,
    :estimated_hours,
    :actual_hours,
    :created_by,
    :created_by,
    :file_path
)
returning
    id,
    spec_number,
    key,
    title,
    roadmap_item_id,
    status,
    spec_type,
    file_path,
    total_phases,
    phase_files,
    phase,
    current_phase_status,
    estimated_hours,
    actual_hours,
    created_by,
    updated_by,
    started_at,
    created_at,
    updated_at;

-- name: create_with_task_list
-- A specification and its tasks, in one statement: any failure leaves nothing.
--
-- Tasks are ranked in the order in which they come, so a chain needs no repair.
with spec as (
    insert into technical_specs (
        spec_number,
        title,
        roadmap_item_id,
        status,
        spec_type,
        content,
        structure,
        estimated_hours,
        created_by,
        updated_by
    )
    values (
        :spec_number,
        :title,
        :roadmap_item_id,
        :status,
        :spec_type,
        :content,
        :structure,
        :estimated_hours,
        :created_by,
        :created_by
    )
    returning id, spec_number, key, title
),

wanted as (
    select
        uuidv7() as id,
        row.place,
        coalesce(task.key, 'TASK-' || spec.spec_number || '-' || row.place) as key,
        coalesce(task.title, left(spec.title || ': ' || task.scope, 500)) as title,
        task.scope,
        task.scope_description,
        coalesce(task.assigned_files, '{}') as assigned_files,
        task.branch_name,
        task.worktree_path,
        coalesce(task.priority, 5) as priority,
        task.agent_type,
        task.estimated_hours
    from spec
    cross join jsonb_array_elements(:tasks) with ordinality as row (value, place)
    cross join lateral jsonb_to_record(row.value) as task (
        key text,
        title text,
        scope text,
        scope_description text,
        assigned_files text[],
        branch_name text,
        worktree_path text,
        priority smallint,
        agent_type text,
        estimated_hours numeric
    )
),

made as (
    insert into tasks (
        id,
        key,
        title,
        priority,
        agent_type,
        execution_order,
        details_follow
    )
    select
        wanted.id,
        wanted.key,
        wanted.title,
        wanted.priority,
        wanted.agent_type,
        wanted.place,
        true
    from wanted
    order by wanted.place
    returning id, key, priority, agent_type, created_at, updated_at
),

detailed as (
    insert into task_details (
        task_id,
        priority,
        agent_type,
        created_at,
        updated_at,
        description,
        estimated_hours,
        created_by
    )
    select
        made.id,
        made.priority,
        made.agent_type,
        made.created_at,
        made.updated_at,
        wanted.scope_description,
        wanted.estimated_hours,
        :created_by
    from made
    inner join wanted on wanted.id = made.id
),

linked as (
    insert into implementation_tasks (
        task_id,
        spec_id,
        scope,
        scope_description,
        assigned_files,
        branch_name,
        worktree_path,
        created_by
    )
    select
        made.id,
        spec.id,
        wanted.scope,
        wanted.scope_description,
        wanted.assigned_files,
        coalesce(wanted.branch_name, 'roadmap-implementation_task-' || made.key),
        wanted.worktree_path,
        :created_by
    from spec
    cross join made
    inner join wanted on wanted.id = made.id
),

chained as (
    insert into task_dependencies (task_id, depends_on_id, created_by)
    select
        made.id,
        earlier.id,
        :created_by
    from made
    inner join wanted on wanted.id = made.id
    inner join wanted as earlier on earlier.place = wanted.place - 1
    where :chained
)

select
    spec.id,
    spec.spec_number,
    spec.key,
    array(
        select cast(made.key as text)
        from made
        inner join wanted on wanted.id = made.id
        order by wanted.place
    ) as task_keys
from spec;

-- name: get
--
-- plan: technical_specs_pkey, technical_specs_type_is_for_tasks
select spec.*
from technical_specs as spec
where spec.id = :id;

-- name: get_by_key
--
-- plan: technical_specs_key_is_taken_once
select spec.*
from technical_specs as spec
where spec.key = :key;

-- name: get_by_number
--
-- plan: technical_specs_number_is_taken_once
select spec.*
from technical_specs as spec
where spec.spec_number = :spec_number;

-- name: get_by_roadmap_item
-- The newest specification of it.
--
-- plan: technical_specs_by_roadmap_item
select spec.*
from technical_specs as spec
where spec.roadmap_item_id = :roadmap_item_id
order by spec.spec_number desc
limit 1;

-- name: get_summary
--
-- plan: technical_specs_key_is_taken_once
select spec.*
from spec_summaries as spec
where spec.key = :key
limit 1;

-- name: list_specs
-- Specifications, the highest number first; a page begins below the last number before.
--
-- plan: technical_specs_number_is_taken_once, technical_specs_by_status,
-- plan: technical_specs_by_roadmap_item
select spec.*
from spec_summaries as spec
where true
    and spec.status = :status                                       -- if :status
    and spec.spec_type = :spec_type                                 -- if :spec_type
    and spec.roadmap_item_id = :roadmap_item_id                     -- if :roadmap_item_id
    and spec.spec_number < :before_number                           -- if :before_number
order by spec.spec_number desc
limit :limit;

-- name: update
-- Changes the given columns, and nothing else.
--
-- plan: technical_specs_key_is_taken_once
update technical_specs as spec
set
    title = :title,                                                 -- if :title
    roadmap_item_id = :roadmap_item_id,                             -- if :roadmap_item_id
    spec_type = :spec_type,                                         -- if :spec_type
    content = :content,                                             -- if :content
    structure = :structure,                                         -- if :structure
    phase = :phase,                                                 -- if :phase
    current_phase_status = :current_phase_status,                   -- if :current_phase_status
    estimated_hours = :estimated_hours,                             -- if :estimated_hours
    actual_hours = :actual_hours,                                   -- if :actual_hours
    updated_by = :updated_by,                                       -- if :updated_by
    updated_at = now()
where spec.key = :key
returning
    spec.id,
    spec.spec_number,
    spec.key,
    spec.title,
    spec.roadmap_item_id,
    spec.status,
    spec.spec_type,
    spec.file_path,
    spec.total_phases,
    spec.phase_files,
    spec.phase,
    spec.current_phase_status,
    spec.estimated_hours,
    spec.actual_hours,
    spec.created_by,
    spec.updated_by,
    spec.started_at,
    spec.created_at,
    spec.updated_at;

-- name: update_status
--
-- plan: technical_specs_key_is_taken_once
update technical_specs as spec
set
    updated_by = :updated_by,                                       -- if :updated_by
    status = :status
where spec.key = :key
returning
    spec.id,
    spec.spec_number,
    spec.key,
    spec.title,
    spec.roadmap_item_id,
    spec.status,
    spec.spec_type,
    spec.file_path,
    spec.total_phases,
    spec.phase_files,
    spec.phase,
    spec.current_phase_status,
    spec.estimated_hours,
    spec.actual_hours,
    spec.created_by,
    spec.updated_by,
    spec.started_at,
    spec.created_at,
    spec.updated_at;

-- name: delete
-- Deletes a specification, with its implementation tasks and their tasks.
--
-- plan: technical_specs_key_is_taken_once
delete from technical_specs as spec
where spec.key = :key
returning spec.id;

-- name: get_phase
-- One phase, extracted from the structure by the server. Without a name or a number: the first.
--
-- plan: technical_specs_key_is_taken_once
select
    spec.id as spec_id,
    spec.key as spec_key,
    phase.number as "number!",  -- every phase has one
    phase.name,
    phase.description,
    phase.hours,
    phase.content,
    coalesce(spec.structure -> 'verbatim' = 'true', false) as verbatim
from technical_specs as spec
cross join lateral jsonb_to_record(
    jsonb_path_query_first(
        spec.structure,
        '$.phases[*] ? (
            ($name == null || @.name == $name) && ($number == null || @.number == $number)
        )',
        jsonb_build_object('name', cast(:name as text), 'number', cast(:number as integer))
    )
) as phase (number integer, name text, description text, hours numeric, content text)
where
    spec.key = :key
    and phase.name is not null;

-- name: get_phase_for_task
-- The phase that a task implements, extracted from the structure by the server.
--
-- plan: tasks_key_is_unique
-- plan: implementation_tasks_pkey
select
    spec.id as spec_id,
    spec.key as spec_key,
    phase.number as "number!",  -- every phase has one
    phase.name,
    phase.description,
    phase.hours,
    phase.content,
    coalesce(spec.structure -> 'verbatim' = 'true', false) as verbatim
from tasks as task
inner join implementation_tasks as work on work.task_id = task.id
inner join technical_specs as spec on spec.id = work.spec_id
cross join lateral jsonb_to_record(
    jsonb_path_query_first(
        spec.structure,
        '$.phases[*] ? (@.name == $name)',
        jsonb_build_object('name', work.phase)
    )
) as phase (number integer, name text, description text, hours numeric, content text)
where task.key = :key and phase.name is not null;

-- name: list_phases
-- The phases of a specification, without their contents.
--
-- plan: technical_specs_key_is_taken_once
select phase.*
from technical_specs as spec
inner join spec_phases as phase on phase.spec_id = spec.id
where spec.key = :key
order by phase.number;

-- name: add_dependency
-- No row if one of the two does not exist; a second call changes nothing.
--
-- plan: technical_specs_key_is_taken_once
with ends as (
    select
        spec.id as spec_id,
        blocker.id as depends_on_id
    from technical_specs as spec
    cross join technical_specs as blocker
    where spec.key = :spec and blocker.key = :depends_on
),

added as (
    insert into spec_dependencies (spec_id, depends_on_id, created_by)
    select
        ends.spec_id,
        ends.depends_on_id,
        :created_by
    from ends
    on conflict (spec_id, depends_on_id) do nothing
)

select ends.spec_id from ends;

-- name: remove_dependency
--
-- plan: technical_specs_key_is_taken_once
delete from spec_dependencies as edge
using technical_specs as spec, technical_specs as blocker
where
    spec.key = :spec
    and blocker.key = :depends_on
    and edge.spec_id = spec.id
    and edge.depends_on_id = blocker.id
returning edge.spec_id;

-- name: list_dependencies
-- The specifications that this one builds on.
--
-- plan: technical_specs_key_is_taken_once
select other.*
from technical_specs as spec
inner join spec_dependencies as edge on edge.spec_id = spec.id
inner join spec_summaries as other on other.id = edge.depends_on_id
where spec.key = :key
order by other.spec_number;

-- name: list_dependents
-- The specifications that build on this one.
--
-- plan: spec_dependencies_by_blocker
select other.*
from technical_specs as spec
inner join spec_dependencies as edge on edge.depends_on_id = spec.id
inner join spec_summaries as other on other.id = edge.spec_id
where spec.key = :key
order by other.spec_number;

-- name: find_specs
-- Specifications that have the words, the best match first. Words follow web search.
--
-- plan: spec_search_by_words
with wanted as (
    select words_query(:words) as query
),

best as (
    select
        search.spec_id,
        ts_rank(search.document, wanted.query) as rank
    from wanted
    inner join spec_search as search on search.document @@ wanted.query
    order by rank desc, search.spec_id
    limit :limit
)

select
    spec.id,
    spec.key,
    spec.title,
    spec.status,
    best.rank
from best
inner join technical_specs as spec on spec.id = best.spec_id
order by best.rank desc, best.spec_id;

-- name: progress
-- The progress of a specification, and its hours.
--
-- plan: implementation_tasks_by_spec, implementation_tasks_by_phase
select progress.*
from spec_progress as progress
where progress.key = :key
limit 1;

-- name: list_progress
-- The progress of every specification.
--
-- plan: allow full-scan: every task of a specification counts
select progress.*
from spec_progress as progress
order by progress.key;
