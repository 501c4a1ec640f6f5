-- 0007: projects with their secrets, modifications, templates; epics of projects.
-- Locks: access exclusive on epics, for as long as an index takes to read its few rows.
-- Check: select count(*) from modification_status_transitions;  -- expect 6
set local lock_timeout = '2s';

-- A project is what is built: its files, what it depends on, how it is deployed, how good it is.
-- Its environment variables are secrets, and in a table of their own.
create table project_contexts (
    id uuid primary key default uuidv7(),
    name shared.title not null,
    type shared.name_text not null,
    status shared.project_status not null default 'active',
    owner_id shared.name_text not null,
    codebase shared.texts_json not null default '{}',
    dependencies shared.name_list not null default '{}',
    deployment_config shared.object_json,
    test_coverage shared.percentage,
    security_score shared.percentage,
    performance_score shared.percentage,
    -- Counted by trigger.
    version bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    last_deployed_at timestamptz
);

-- Serve queries/projects.sql: list_projects, list_changed.
create index project_contexts_by_owner on project_contexts (owner_id, created_at, id);
create index project_contexts_by_owner_and_status
    on project_contexts (owner_id, status, created_at, id);
create index project_contexts_by_status on project_contexts (status, created_at, id);
create index project_contexts_by_type on project_contexts (type, created_at, id);
create index project_contexts_by_creation on project_contexts (created_at, id);
create index project_contexts_by_change on project_contexts (updated_at, id);

-- Serve queries/projects.sql: find_by_files, find_by_path, find_by_dependencies.
create index project_contexts_by_codebase on project_contexts using gin (codebase);
create index project_contexts_by_dependencies on project_contexts using gin (dependencies);

comment on table project_contexts is 'Projects, with their files.';
comment on column project_contexts.type is 'What it is, in its owner''s words: api, web_app.';
comment on column project_contexts.codebase is 'Its files: contents by path.';
comment on column project_contexts.dependencies is 'The packages that it needs.';
comment on column project_contexts.test_coverage is 'How much of it is tested, 0 to 100.';
comment on column project_contexts.version is
    'One more with every change of the row; who changes it may say which one was seen.';

-- The environment variables of a project: secrets. A table of their own keeps them out of every
-- row, view and error of project_contexts, and readers have no right to it.
create table project_environments (
    id uuid primary key default uuidv7(),
    project_id uuid not null,
    variables shared.texts_json not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint project_environments_once_per_project unique (project_id),
    constraint project_environments_project_exists
        foreign key (project_id) references project_contexts (id) on delete cascade
);

-- Serves queries/projects.sql: find_by_variable.
create index project_environments_by_variables on project_environments using gin (variables);

comment on table project_environments is
    'Environment variables of projects: secrets, which only writers may read.';
comment on column project_environments.variables is 'Values by name.';

-- The allowed moves of a modification, as rows: a team may allow more, or fewer.
create table modification_status_transitions (
    old_status shared.modification_status not null,
    new_status shared.modification_status not null,
    meaning text not null,
    primary key (old_status, new_status),
    constraint modification_status_transitions_is_a_move check (old_status <> new_status)
);

comment on table modification_status_transitions is 'The changes of a modification''s status.';

insert into modification_status_transitions (old_status, new_status, meaning) values
    ('pending', 'approved', 'shall be made'),
    ('pending', 'rejected', 'shall not be made'),
    ('approved', 'applied', 'is in the codebase'),
    ('approved', 'failed', 'could not be made'),
    ('approved', 'rejected', 'shall not be made after all'),
    ('failed', 'approved', 'shall be tried again');

-- A modification is a wish to change a project: asked for, decided upon, and applied to its files.
create table modifications (
    id uuid primary key default uuidv7(),
    project_id uuid not null,
    request shared.note_text not null,
    requested_by shared.name_text not null,
    requested_at timestamptz not null default now(),
    impact_analysis shared.object_json,
    affected_files shared.name_list not null default '{}',
    status shared.modification_status not null default 'pending',
    -- Kept by triggers, as the moments are.
    base_version bigint not null default 0,
    approved_at timestamptz,
    applied_at timestamptz,
    ended_at timestamptz,
    modified_files shared.changes_json,
    test_results shared.object_json,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint modifications_project_exists
        foreign key (project_id) references project_contexts (id) on delete cascade,
    constraint modifications_applied_at_exactly_when_applied
        check ((status = 'applied') = (applied_at is not null)),
    constraint modifications_ended_exactly_at_an_end
        check ((status in ('applied', 'failed', 'rejected')) = (ended_at is not null)),
    constraint modifications_applied_with_files
        check (status <> 'applied' or modified_files is not null)
);

-- Serve queries/modifications.sql: list_modifications.
create index modifications_by_project on modifications (project_id, requested_at, id);
create index modifications_by_project_and_status
    on modifications (project_id, status, requested_at, id);
create index modifications_by_requester on modifications (requested_by, requested_at, id);
create index modifications_by_status on modifications (status, requested_at, id);
create index modifications_by_request on modifications (requested_at, id);

-- Serve queries/modifications.sql: find_by_impact, find_by_test_results.
create index modifications_by_impact on modifications using gin (impact_analysis);
create index modifications_by_test_results on modifications using gin (test_results);

comment on table modifications is 'Changes to projects: asked for, decided upon, applied.';
comment on column modifications.base_version is
    'The project''s version when it was asked for, or approved: it is applied to no other.';
comment on column modifications.affected_files is 'The paths it is expected to touch.';
comment on column modifications.ended_at is 'When it was applied or rejected, or failed.';
comment on column modifications.modified_files is
    'The files it changed: new contents by path, null for one that goes.';

-- A template is files to begin a project with. {{NAME}} in a file stands for a variable.
create table templates (
    id uuid primary key default uuidv7(),
    name shared.title not null,
    description text,
    category shared.template_category not null,
    files shared.texts_json not null,
    required_vars shared.name_list not null default '{}',
    optional_vars shared.name_list not null default '{}',
    tech_stack shared.name_list not null default '{}',
    -- Minutes.
    estimated_setup_time shared.counter,
    complexity shared.complexity not null default 'medium',
    tags shared.name_list not null default '{}',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint templates_variables_required_or_optional
        check (not required_vars::text[] && optional_vars::text[])
);

-- Serve queries/templates.sql: search.
create index templates_by_category on templates (category, created_at, id);
create index templates_by_complexity on templates (complexity, created_at, id);
create index templates_by_creation on templates (created_at, id);
create index templates_by_files on templates using gin (files);
create index templates_by_tech_stack on templates using gin (tech_stack);
create index templates_by_tags on templates using gin (tags);

comment on table templates is 'Files to begin projects with.';
comment on column templates.files is 'Contents by path; {{NAME}} in a content is a variable.';
comment on column templates.required_vars is 'Variables that must be given.';
comment on column templates.optional_vars is 'Variables that may be given; empty otherwise.';
comment on column templates.estimated_setup_time is 'Minutes.';

-- The files of a template with its variables put in. Each content is cut at its placeholders once
-- and put together again, so a value is never read: what it holds of {{NAME}}, of backslashes or
-- of regular expressions stays as it is. What is no variable of the template stays, too.
create function fill_template(
    files jsonb, required_vars text[], optional_vars text[], given jsonb
)
    returns jsonb
    language plpgsql
    immutable
    set search_path from current
as $$
declare
    placeholder constant text := '\{\{([A-Za-z_][A-Za-z0-9_]*)\}\}';
    missing text;
    unknown text;
begin
    select string_agg(variable.name, ', ' order by variable.name)
    into missing
    from unnest(required_vars) as variable (name)
    where not given ? variable.name;
    select string_agg(variable.name, ', ' order by variable.name)
    into unknown
    from jsonb_object_keys(given) as variable (name)
    where variable.name <> all (required_vars || optional_vars);
    if missing is not null or unknown is not null then
        raise exception using
            errcode = 'TD005',
            message = 'the variables are not those of the template',
            detail = 'TD005 variables: '
                || concat_ws(
                    ' and ', 'must give ' || missing, 'must not give ' || unknown
                );
    end if;
    return coalesce(
        (
            select jsonb_object_agg(file.path, filled.content)
            from jsonb_each_text(files) as file (path, content)
            cross join lateral (
                select
                    string_agg(
                        piece.content
                        || case
                            when mark.name is null then ''
                            when mark.name = any (required_vars || optional_vars)
                                then coalesce(given ->> mark.name, '')
                            else '{{' || mark.name || '}}'
                        end,
                        '' order by piece.place
                    ) as content
                from regexp_split_to_table(file.content, placeholder)
                    with ordinality as piece (content, place)
                left join (
                    select found.names[1] as name, found.place
                    from regexp_matches(file.content, placeholder, 'g')
                        with ordinality as found (names, place)
                ) as mark on mark.place = piece.place
            ) as filled
        ),
        '{}'
    );
end;
$$;

comment on function fill_template(jsonb, text[], text[], jsonb) is
    'The files of a template with its variables put in; refuses missing and unknown ones.';

create trigger project_contexts_50_touch_updated_at
    before update on project_contexts
    for each row
    execute function touch_updated_at();

-- Whoever changes a project makes it another version, whatever the statement says.
create function count_version()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    new.version := old.version + 1;
    return new;
end;
$$;

comment on function count_version() is 'Counts the changes of a row.';

create trigger project_contexts_51_count_version
    before update on project_contexts
    for each row
    execute function count_version();

create trigger project_environments_50_touch_updated_at
    before update on project_environments
    for each row
    execute function touch_updated_at();

-- A change of a modification's status must be a row of modification_status_transitions. None is
-- from a status to itself: what is applied is not applied again, with other files.
create function refuse_modification_move()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if not exists (
        select from modification_status_transitions as allowed
        where allowed.old_status = old.status and allowed.new_status = new.status
    ) then
        raise exception using
            errcode = 'TD001',
            message = format('the modification cannot go from %s to %s', old.status, new.status),
            detail = format('TD001 %s -> %s', old.status, new.status),
            hint = coalesce(
                (
                    select
                        'From here it can go to '
                        || string_agg(allowed.new_status::text, ', ' order by allowed.new_status)
                        || '.'
                    from modification_status_transitions as allowed
                    where allowed.old_status = old.status
                ),
                'From here it goes nowhere; ask for another.'
            );
    end if;
    return new;
end;
$$;

comment on function refuse_modification_move() is
    'Refuses a move that is not in modification_status_transitions.';

create trigger modifications_10_refuse_move
    before update of status on modifications
    for each row
    execute function refuse_modification_move();

-- What is asked for, or approved, is so of the project as it is then; the moments are the
-- server's.
create function settle_modification()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if tg_op = 'INSERT' or (new.status = 'approved' and old.status <> 'approved') then
        select project.version
        into new.base_version
        from project_contexts as project
        where project.id = new.project_id;
        -- No project: the foreign key says so.
        new.base_version := coalesce(new.base_version, 0);
    else
        new.base_version := old.base_version;
    end if;
    if tg_op = 'INSERT' or new.status <> old.status then
        new.approved_at := case
            when new.status = 'approved' then now()
            when tg_op = 'UPDATE' then old.approved_at
        end;
        new.applied_at := case when new.status = 'applied' then now() end;
        new.ended_at := case when new.status in ('applied', 'failed', 'rejected') then now() end;
    else
        new.approved_at := old.approved_at;
        new.applied_at := old.applied_at;
        new.ended_at := old.ended_at;
    end if;
    return new;
end;
$$;

comment on function settle_modification() is
    'Fills in the version that a modification is of, and its moments.';

create trigger modifications_50_settle
    before insert or update on modifications
    for each row
    execute function settle_modification();

create trigger modifications_51_touch_updated_at
    before update on modifications
    for each row
    execute function touch_updated_at();

-- To be applied is to be in the codebase, by whatever route. A project that changed since is
-- refused: its version is looked at again once its row is free.
create function apply_modification()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    update project_contexts as project
    set
        codebase = (
            project.codebase
            - array(
                select file.key
                from jsonb_each(new.modified_files) as file
                where file.value = 'null'
            )
        )
        || jsonb_strip_nulls(new.modified_files)
    where project.id = new.project_id and project.version = new.base_version;
    if not found then
        raise exception using
            errcode = 'TD006',
            message = 'the project changed since the modification was approved',
            detail = format('TD006 version %s', new.base_version),
            hint = 'Look at the project again, and ask for the modification anew.';
    end if;
    return null;
end;
$$;

comment on function apply_modification() is
    'Changes the files of the project, unless it changed since.';

create trigger modifications_90_apply
    after update of status on modifications
    for each row
    when (old.status <> new.status and new.status = 'applied')
    execute function apply_modification();

-- A modification is born pending.
create function refuse_decided_modification()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    raise exception using
        errcode = 'TD001',
        message = format('a modification begins as pending, not %s', new.status),
        detail = format('TD001 -> %s', new.status),
        hint = 'Ask for it first.';
end;
$$;

comment on function refuse_decided_modification() is
    'Refuses a modification that nobody has asked for.';

create trigger modifications_10_refuse_decided
    before insert on modifications
    for each row
    when (new.status <> 'pending')
    execute function refuse_decided_modification();

create trigger templates_50_touch_updated_at
    before update on templates
    for each row
    execute function touch_updated_at();

alter table epics add column project_id uuid;

-- (Epics are few, and every project_id is null: nothing is scanned for long.)
alter table epics
    -- squawk-ignore constraint-missing-not-valid, adding-foreign-key-constraint
    add constraint epics_project_exists
    foreign key (project_id) references project_contexts (id) on delete set null;

-- Serves queries/epics.sql: list_epics, and a project's deletion.
-- squawk-ignore require-concurrent-index-creation
create index epics_by_project on epics (project_id, key) where project_id is not null;

comment on column epics.project_id is 'What is built by it. A project leaves its plans.';

-- Who may read this workspace got the right to read later tables as well, by default; secrets are
-- for writers.
do $$
declare
    reader regrole;
begin
    for reader in
        select entry.grantee::regrole
        from pg_class as environment
        cross join aclexplode(environment.relacl) as entry
        where environment.oid = 'project_environments'::regclass
            and entry.grantee not in (0, environment.relowner)
        group by entry.grantee
        having not bool_or(entry.privilege_type = 'INSERT')
    loop
        execute format('revoke all on project_environments from %s', reader);
    end loop;
end;
$$;
