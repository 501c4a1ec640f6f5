-- 0002: tasks and what belongs to them.
-- Locks: share row exclusive on features, for milliseconds (a foreign key refers to it).
-- Check: select count(*) from task_status_transitions;  -- expect 21
set local lock_timeout = '2s';

-- A task is a unit of work that one agent does. This one table serves every kind of
-- task, so that claims, dependencies and history work alike for all of them.
--
-- Four columns are the machinery's own. Nobody sets them by hand:
--   open_dependencies  triggers keep it equal to the number of unsatisfied edges
--   claim_token        grows by one with every claim: the fence against zombies
--   graph_rank         a blocker's rank is below that of each task that waits for it
--   status_seq         grows by one with every change of status
-- And three are a letterbox: who changes a status, why, and whether by force come in
-- with the statement itself; a trigger moves them into history and clears them.

-- The distance leaves room to place a task between two others. See
-- docs/decisions/0001-dependency-graph.md.
create sequence task_graph_rank as bigint increment by 4294967296 minvalue 0 start with 0;

comment on sequence task_graph_rank is 'The graph_rank of the next task.';

-- Names tasks whose creator has no key for them.
create sequence task_number as bigint;

comment on sequence task_number is 'The number in the key of the next task without one: T-17.';

create table tasks (
    id uuid primary key default uuidv7(),
    key shared.key not null,
    feature_id uuid,
    parent_id uuid,
    title shared.title not null,
    description text,
    status shared.task_status not null default 'pending',
    -- 1 is the most urgent, 10 the least.
    priority shared.priority not null default 5,
    effective_priority shared.priority not null default 5,
    agent_type shared.name_text,
    assigned_agent shared.name_text,
    complexity_score shared.score,
    estimated_hours shared.hours,
    actual_hours shared.hours,
    execution_order integer,
    requirements shared.object_json,
    context shared.object_json,
    metadata shared.object_json,
    file_path shared.name_text,
    blocked_reason shared.note_text,
    error_message text,
    scheduled_at timestamptz,
    max_attempts shared.counter not null default 10,
    created_by shared.name_text,
    started_at timestamptz,
    blocked_at timestamptz,
    completed_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    failed_attempts shared.counter not null default 0,
    open_dependencies shared.counter not null default 0,
    claim_token bigint not null default 0,
    graph_rank bigint not null default nextval('task_graph_rank'),
    status_seq integer not null default 1,
    status_agent text,
    status_note text,
    status_forced boolean,
    constraint tasks_feature_exists
        foreign key (feature_id) references features (id) on delete cascade,
    constraint tasks_parent_exists
        foreign key (parent_id) references tasks (id) on delete cascade,
    constraint tasks_key_is_unique unique (key),
    constraint tasks_pending_is_free
        check (status <> 'pending' or (open_dependencies = 0 and blocked_reason is null)),
    constraint tasks_blocked_has_gate_or_reason
        check (status <> 'blocked' or open_dependencies > 0 or blocked_reason is not null),
    constraint tasks_reason_only_while_blocked
        check (status = 'blocked' or blocked_reason is null),
    constraint tasks_blocked_at_exactly_while_blocked
        check ((status = 'blocked') = (blocked_at is not null)),
    constraint tasks_completed_at_from_completion_on
        check (
            (status <> 'completed' or completed_at is not null)
            and (status in ('completed', 'archived') or completed_at is null)
        )
)
with (fillfactor = 85);

-- Serve queries/claims.sql: claim_next and claim_batch, in the exact order of the
-- claim: the first for agents that take every type, the second for those that name one. (One
-- expression for both columns, so that neither query can be led to the other's index.)
create index tasks_to_claim
    on tasks (
        (coalesce(assigned_agent, '')), effective_priority, execution_order, created_at, id
    )
    where status = 'pending' and scheduled_at is null;
create index tasks_to_claim_by_type
    on tasks (
        (coalesce(assigned_agent, '') || '/' || coalesce(agent_type, '')),
        effective_priority,
        execution_order,
        created_at,
        id
    )
    where status = 'pending' and scheduled_at is null;
-- The planner does not use what it knows of a partial index's expressions.
create statistics tasks_reservations on (coalesce(assigned_agent, '')) from tasks;
create statistics tasks_reservations_by_type
    on (coalesce(assigned_agent, '') || '/' || coalesce(agent_type, '')) from tasks;

comment on statistics tasks_reservations is 'For the plan of claim_next.';
comment on statistics tasks_reservations_by_type is 'For the plan of claim_next.';
-- Serves the same: tasks whose time may have come.
create index tasks_to_claim_later
    on tasks (scheduled_at)
    where status = 'pending' and scheduled_at is not null;
-- Serve queries/tasks.sql: list_tasks, newest first, and the deletion of what tasks belong to.
create index tasks_by_creation on tasks (created_at desc, id desc);
create index tasks_by_status on tasks (status, created_at desc, id desc);
create index tasks_by_feature on tasks (feature_id, created_at desc, id desc);
create index tasks_by_parent on tasks (parent_id, created_at desc, id desc);

comment on table tasks is 'Units of work, of every kind.';
comment on column tasks.key is
    'Its name among people and tools: up to 100 characters, compared byte for byte.';
comment on column tasks.parent_id is 'The task it is a part of. The parent tree never gates.';
comment on column tasks.priority is '1 (most urgent) to 10.';
comment on column tasks.effective_priority is 'The priority that claims go by.';
comment on column tasks.agent_type is 'Only agents of this type may claim it; null: all.';
comment on column tasks.assigned_agent is
    'A planner''s reservation: only this agent may claim it; null: all.';
comment on column tasks.complexity_score is 'Estimated complexity, 0 to 100.';
comment on column tasks.execution_order is 'The planner''s order among equals; null comes last.';
comment on column tasks.requirements is 'What the work needs, as an object.';
comment on column tasks.context is 'What the worker should know, as an object.';
comment on column tasks.metadata is 'What other tools know of it, as an object.';
comment on column tasks.file_path is 'Where its document lies, as the plan''s authors name it.';
comment on column tasks.blocked_reason is
    'Why it is held back by hand, beside what its open dependencies do.';
comment on column tasks.error_message is 'Why its last attempt failed.';
comment on column tasks.scheduled_at is 'Not to be claimed before this moment.';
comment on column tasks.max_attempts is
    'After so many failed or lapsed attempts it is no longer handed out.';
comment on column tasks.failed_attempts is 'Attempts that failed or lapsed so far.';
comment on column tasks.started_at is 'When it last went into progress.';
comment on column tasks.open_dependencies is
    'How many of its dependencies are not satisfied. Kept by triggers.';
comment on column tasks.claim_token is
    'The fencing token of the latest claim. It only grows; kept by the claim''s statement.';
comment on column tasks.graph_rank is
    'A blocker''s rank is below that of each task that waits for it. Kept by triggers.';
comment on column tasks.status_seq is 'The seq of its latest row in task_history.';
comment on column tasks.status_agent is
    'Who changes the status: set together with it; moved into task_history by trigger.';
comment on column tasks.status_note is
    'Why the status changes: set together with it; moved into task_history by trigger.';
comment on column tasks.status_forced is
    'True overrides the table of moves: set together with status; moved into task_history.';

-- The words of a task, apart from the task: a change of status writes a new version of
-- the task into every index of `tasks`, and a full-text index is the dearest of all.
create table task_search (
    task_id uuid primary key,
    title text not null,
    document tsvector not null,
    constraint task_search_task_exists
        foreign key (task_id) references tasks (id) on delete cascade
);

-- Serves queries/search.sql: find_tasks.
create index task_search_by_words on task_search using gin (document);
-- Serves queries/tasks.sql: find_similar.
create index task_search_by_trigrams on task_search using gin (title shared.gin_trgm_ops);

comment on table task_search is 'The text of tasks, prepared for search. Written by trigger.';
comment on column task_search.document is
    'The title (weight A) and the first 200,000 characters of the description (weight B).';

-- The allowed moves, as rows: a team may allow more, or fewer. What is finished
-- (completed, failed, cancelled, archived) reopens only by force.
create table task_status_transitions (
    old_status shared.task_status not null,
    new_status shared.task_status not null,
    meaning text not null,
    primary key (old_status, new_status),
    constraint task_status_transitions_is_a_move check (old_status <> new_status)
);

comment on table task_status_transitions is
    'The changes of status that need no force.';

insert into task_status_transitions (old_status, new_status, meaning) values
    ('pending', 'blocked', 'a dependency opened, or someone holds it back'),
    ('pending', 'in_progress', 'work begins'),
    ('pending', 'cancelled', 'no longer wanted'),
    ('blocked', 'pending', 'nothing holds it back any more'),
    ('blocked', 'cancelled', 'no longer wanted'),
    ('in_progress', 'pending', 'given back'),
    ('in_progress', 'blocked', 'something holds it back'),
    ('in_progress', 'in_review', 'work submitted for review'),
    ('in_progress', 'completed', 'work done'),
    ('in_progress', 'failed', 'work failed'),
    ('in_progress', 'cancelled', 'no longer wanted'),
    ('in_review', 'in_progress', 'review asks for more work, done at once'),
    ('in_review', 'pending', 'review asks for more work'),
    ('in_review', 'blocked', 'something holds it back'),
    ('in_review', 'completed', 'approved'),
    ('in_review', 'failed', 'rejected'),
    ('in_review', 'cancelled', 'no longer wanted'),
    ('completed', 'archived', 'put away'),
    ('failed', 'archived', 'put away'),
    ('failed', 'cancelled', 'given up'),
    ('cancelled', 'archived', 'put away');

-- Every change of a task's status, and its creation, by whatever route. Only triggers
-- write it; rows that an importer brings from another tracker carry their source, keep
-- their own times, and have no seq.
create table task_history (
    id uuid primary key default uuidv7(),
    task_id uuid not null,
    seq integer,
    old_status shared.task_status,
    new_status shared.task_status not null,
    agent shared.name_text not null,
    note text,
    forced boolean not null default false,
    source shared.name_text,
    created_at timestamptz not null default clock_timestamp(),
    constraint task_history_task_exists
        foreign key (task_id) references tasks (id) on delete cascade,
    constraint task_history_seq_is_positive check (seq > 0),
    constraint task_history_numbered_unless_imported check ((seq is null) = (source is not null)),
    -- Keeps the promise: one row a change.
    constraint task_history_seq_once_per_task unique (task_id, seq)
);

-- Serves queries/history.sql: recent.
create index task_history_by_time on task_history (created_at desc, id desc);
-- Serves queries/history.sql: list_by_agent.
create index task_history_by_agent on task_history (agent, created_at desc, id desc);
-- Serves queries/history.sql: list_for_task, in order of time.
create index task_history_by_task on task_history (task_id, created_at, id);

comment on table task_history is 'Every change of status: who, when, why. Written by trigger.';
comment on column task_history.seq is
    'Counts a task''s rows from 1 on; the highest is its present status. Null: imported.';
comment on column task_history.old_status is 'Null: the task was created.';
comment on column task_history.agent is
    'Who changed it: as the statement says, else session_user; taskdb for the cascade.';
comment on column task_history.forced is 'The move was forced past the table of moves.';
comment on column task_history.source is 'The tracker that an imported row came from.';

-- A claim is one attempt of one agent at one task. At most one is live.
create table task_claims (
    id uuid primary key default uuidv7(),
    task_id uuid not null,
    token bigint not null,
    agent shared.name_text not null,
    claimed_at timestamptz not null default now(),
    lease_expires_at timestamptz not null,
    -- Null while the attempt is live.
    outcome shared.claim_outcome,
    ended_at timestamptz,
    note text,
    constraint task_claims_task_exists
        foreign key (task_id) references tasks (id) on delete cascade,
    constraint task_claims_ended_exactly_with_outcome
        check ((outcome is null) = (ended_at is null)),
    constraint task_claims_token_once_per_task unique (task_id, token)
)
with (fillfactor = 85);

-- Keeps the promise: at most one live claim a task.
create unique index task_claims_one_live on task_claims (task_id) where outcome is null;
-- Serves queries/claims.sql: claim_next, for tasks whose lease has lapsed.
create index task_claims_by_lease on task_claims (lease_expires_at) where outcome is null;
-- Serves queries/claims.sql: list_live.
create index task_claims_by_agent on task_claims (agent, claimed_at desc);

comment on table task_claims is 'Attempts at tasks: who holds or held one, and how it ended.';
comment on column task_claims.token is
    'The fencing token: the holder names it with every write, and a stale one is refused.';
comment on column task_claims.lease_expires_at is
    'After this moment another agent may take the task.';
comment on column task_claims.outcome is 'Null while the attempt is live.';
comment on column task_claims.note is 'What the holder said at its end: the error of a failure.';

-- A subtask is a line of a task's checklist. It never gates anything.
create table subtasks (
    id uuid primary key default uuidv7(),
    task_id uuid not null,
    -- Not unique: two may share a place; then the older comes first.
    position integer not null default 1,
    title shared.title not null,
    description text,
    status shared.subtask_status not null default 'pending',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint subtasks_task_exists
        foreign key (task_id) references tasks (id) on delete cascade,
    constraint subtasks_position_is_positive check (position > 0)
);

-- Serves queries/subtasks.sql: list_subtasks.
create index subtasks_in_order on subtasks (task_id, position, created_at, id);

comment on table subtasks is 'A task''s checklist.';
comment on column subtasks.position is 'Its place in the list, counted from 1.';

-- A file that belongs to a task, with its content: what an agent made, or what it needs.
create table task_files (
    id uuid primary key default uuidv7(),
    task_id uuid not null,
    path text collate "C" not null,
    content text not null,
    content_type shared.name_text not null default 'text/plain',
    size_bytes integer not null generated always as (octet_length(utf8_bytes(content))) stored,
    sha256 bytea not null generated always as (sha256(utf8_bytes(content))) stored,
    metadata shared.object_json,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint task_files_task_exists
        foreign key (task_id) references tasks (id) on delete cascade,
    constraint task_files_path_once_per_task unique (task_id, path),
    constraint task_files_path_has_1_to_1000_characters check (length(path) between 1 and 1000)
);

comment on table task_files is 'Files of a task, content included.';
comment on column task_files.size_bytes is
    'The content''s length in bytes of UTF-8. Computed by the server.';
comment on column task_files.sha256 is 'The content''s SHA-256. Computed by the server.';

-- Moving a task to another parent writes this one row first, so that two moves which
-- would close a loop together meet here: at READ COMMITTED the second waits and then sees
-- the first; at the higher levels it fails with 40001. Moves are rare; nothing else waits.
create table parent_guard (
    only_row boolean primary key default true,
    version bigint not null default 0,
    constraint parent_guard_has_one_row check (only_row)
);

comment on table parent_guard is 'One row, written by every change of a task''s parent.';

insert into parent_guard (version) values (0);

-- Refuses a loop. *path* begins and ends with the same task's key; each waits for the
-- next (or is a part of the next). The detail carries all of it, as JSON after the code.
create function raise_circular_dependency(path text[])
    returns void
    language plpgsql
    immutable
    set search_path from current
as $$
begin
    raise exception using
        errcode = 'TD002',
        message = 'circular dependency: ' || case
            when cardinality(path) <= 12 then array_to_string(path, ' -> ')
            else array_to_string(path[1:6], ' -> ')
                || ' -> ... (' || cardinality(path) - 11 || ' more) -> '
                || array_to_string(path[cardinality(path) - 4:], ' -> ')
        end,
        detail = 'TD002 ' || to_json(path),
        hint = 'Remove one dependency of this path first.';
end;
$$;

comment on function raise_circular_dependency(text[]) is 'Raises TD002 with the loop''s keys.';

-- Walks up from a task whose ancestors go round in a loop, and refuses with their keys.
create function raise_parent_loop(start_id uuid)
    returns void
    language plpgsql
    set search_path from current
as $$
declare
    at_id uuid := start_id;
    at_key text;
    seen uuid[] := '{}';
    keys text[] := '{}';
begin
    while not at_id = any(seen) loop
        seen := seen || at_id;
        select task.key, task.parent_id
        into at_key, at_id
        from tasks as task
        where task.id = at_id;
        keys := keys || at_key;
    end loop;
    keys := keys[array_position(seen, at_id):];
    perform raise_circular_dependency(keys || keys[1]);
end;
$$;

comment on function raise_parent_loop(uuid) is 'Raises TD002 with the loop of parents.';

-- What full-text search knows of a task.
create function task_document(title text, description text)
    returns tsvector
    language sql
    immutable
    parallel safe
return setweight(to_tsvector('pg_catalog.english', title), 'A')
    || setweight(
        to_tsvector('pg_catalog.english', coalesce(left(description, 200000), '')), 'B'
    );

comment on function task_document(text, text) is
    'A task''s title (weight A) and first 200,000 characters of description (weight B).';

-- Where each of the *wanted* ids stands in a list; null if it doesn't. The planner can't
-- know how long the lists will be, and a nested loop over two long ones never ends: so
-- that way is shut.
create function positions_of(wanted uuid[], listed uuid[])
    returns int[]
    language sql
    immutable
    set search_path from current
    set enable_nestloop = off
as $$
    select array_agg(place.position::int order by wish.position)
    from unnest(wanted) with ordinality as wish (id, position)
    left join unnest(listed) with ordinality as place (id, position) on place.id = wish.id;
$$;

comment on function positions_of(uuid[], uuid[]) is
    'The positions of the first list''s ids in the second.';

create trigger subtasks_50_touch_updated_at
    before update on subtasks
    for each row
    execute function touch_updated_at();

create trigger task_files_50_touch_updated_at
    before update on task_files
    for each row
    execute function touch_updated_at();

-- A change of status must be a row of task_status_transitions, or be forced.
create function refuse_move()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if old.status <> new.status and new.status_forced is not true and not exists (
        select from task_status_transitions as allowed
        where allowed.old_status = old.status and allowed.new_status = new.status
    ) then
        raise exception using
            errcode = 'TD001',
            message = format('task %s cannot go from %s to %s', old.key, old.status, new.status),
            detail = format('TD001 %s -> %s', old.status, new.status),
            hint = coalesce(
                (
                    select
                        'From here it can go to '
                        || string_agg(allowed.new_status::text, ', ' order by allowed.new_status)
                        || '; anything else must be forced.'
                    from task_status_transitions as allowed
                    where allowed.old_status = old.status
                ),
                'From here it moves only by force.'
            );
    end if;
    return new;
end;
$$;

comment on function refuse_move() is 'Refuses a move that is not in task_status_transitions.';

-- (A column list costs nothing where a WHEN clause is prepared anew by each statement.)
create trigger tasks_10_refuse_move
    before update of status on tasks
    for each row
    execute function refuse_move();

-- Brings a task's columns into agreement with each other before it is written:
--   a key and the time of its creation, if it has none (COPY can't leave a column out)
--   pending with open dependencies is blocked; blocked by nothing is pending
--   a reason only while blocked; lifting the block by hand drops the reason
--   the moments of its status; a reopened task counts its attempts anew
-- so that no statement, by whatever route, can write a wrong pair.
create function settle_task()
    returns trigger
    language plpgsql
    set search_path from current
as $$
declare
    moment timestamptz := clock_timestamp();
begin
    if tg_op = 'INSERT' then
        while new.key is null loop
            new.key := 'T-' || nextval('task_number');
            if exists (select from tasks where tasks.key = new.key) then
                new.key := null;
            end if;
        end loop;
        new.created_at := coalesce(new.created_at, now());
        new.updated_at := coalesce(new.updated_at, new.created_at);
        new.status_seq := 1;
        new.open_dependencies := 0;
        new.status_agent := null;
        new.status_note := null;
        new.status_forced := null;
    elsif
        old.status = 'blocked' and new.status = 'pending'
        and new.blocked_reason is not distinct from old.blocked_reason
    then
        new.blocked_reason := null;
    elsif old.status in ('completed', 'failed', 'cancelled', 'archived')
        and new.status not in ('completed', 'failed', 'cancelled', 'archived') then
        new.failed_attempts := 0;
    end if;

    if new.status = 'pending' and new.open_dependencies > 0 then
        new.status := 'blocked';
    elsif new.status = 'blocked' and new.open_dependencies = 0 and new.blocked_reason is null then
        new.status := 'pending';
    end if;
    if tg_op = 'UPDATE' and new.status <> 'blocked' then
        -- (A new one the CHECKs refuse: nothing that somebody says is dropped.)
        if new.blocked_reason is not distinct from old.blocked_reason then
            new.blocked_reason := null;
        end if;
    end if;
    new.effective_priority := new.priority;

    if tg_op = 'INSERT' then
        if new.status = 'in_progress' and new.started_at is null then
            new.started_at := moment;
        end if;
        if new.status = 'completed' and new.completed_at is null then
            new.completed_at := moment;
        end if;
        new.blocked_at := case when new.status = 'blocked' then coalesce(new.blocked_at, moment) end;
    elsif old.status <> new.status then
        if new.status = 'in_progress' then
            new.started_at := moment;
        end if;
        new.blocked_at := case when new.status = 'blocked' then moment end;
        new.completed_at := case new.status
            when 'completed' then moment
            when 'archived' then old.completed_at
        end;
    end if;
    return new;
end;
$$;

comment on function settle_task() is
    'Makes status, reason, moments and open dependencies of a task agree.';

create trigger tasks_50_settle
    before insert or update on tasks
    for each row
    execute function settle_task();

create trigger tasks_51_touch_updated_at
    before update on tasks
    for each row
    execute function touch_updated_at();

-- Writes one history row for a change of status, from the letterbox columns, and empties
-- them. The row is locked while a BEFORE trigger runs, so the numbers have no gaps.
create function record_move()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if old.status <> new.status then
        new.status_seq := old.status_seq + 1;
        insert into task_history (task_id, seq, old_status, new_status, agent, note, forced)
        values (
            new.id,
            new.status_seq,
            old.status,
            new.status,
            coalesce(new.status_agent, session_user),
            new.status_note,
            coalesce(new.status_forced, false)
        );
    else
        new.status_seq := old.status_seq;
    end if;
    new.status_agent := null;
    new.status_note := null;
    new.status_forced := null;
    return new;
end;
$$;

comment on function record_move() is 'Writes a change of status into task_history.';

-- The columns from which a change of status can come, and the letterbox.
create trigger tasks_90_record_move
    before update of
    status, open_dependencies, blocked_reason, status_seq, status_agent, status_note, status_forced
    on tasks
    for each row
    execute function record_move();

-- Writes the first history row of each new task.
create function record_creation()
    returns trigger
    language plpgsql
    set search_path from current
as $$
declare
    ids uuid[];
    statuses shared.task_status[];
    agents text[];
begin
    select
        array_agg(created.id),
        array_agg(created.status),
        array_agg(coalesce(created.created_by, session_user))
    into ids, statuses, agents
    from created;

    insert into task_history (task_id, seq, new_status, agent)
    select row.id, 1, row.status, row.agent
    from unnest(ids, statuses, agents) as row (id, status, agent);
    return null;
end;
$$;

comment on function record_creation() is 'Writes the creation of tasks into task_history.';

create trigger tasks_90_record_creation
    after insert on tasks
    referencing new table as created
    for each statement
    execute function record_creation();

-- A task that leaves in_progress takes its live claim with it. The statements of the
-- claim's holder end the claim themselves, before this looks.
create function revoke_claim()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if old.status = 'in_progress' and new.status <> 'in_progress' then
        update task_claims as claim
        set outcome = 'revoked', ended_at = clock_timestamp()
        where claim.task_id = new.id and claim.outcome is null;
    end if;
    return null;
end;
$$;

comment on function revoke_claim() is 'Ends the live claim of a task that left in_progress.';

create trigger tasks_90_revoke_claim
    after update of status on tasks
    for each row
    execute function revoke_claim();

-- The tree of parents has no loop. A new task has no children yet, unless they come in
-- the same statement; a move is rare, and writes the one row of parent_guard first.
create function refuse_parent_loop_among_new()
    returns trigger
    language plpgsql
    set search_path from current
as $$
declare
    ids uuid[];
    parents uuid[];
    above int[];
    visit int[];
    n int;
begin
    select array_agg(created.id), array_agg(created.parent_id)
    into ids, parents
    from created
    where created.parent_id is not null;
    if ids is null then
        return null;
    end if;

    -- From each walk up to where an earlier walk has been, or out of the new tasks. Coming
    -- upon one's own steps is the loop.
    above := positions_of(parents, ids);
    visit := array_fill(0, array[cardinality(ids)]);
    for i in 1..cardinality(ids) loop
        n := i;
        while visit[n] = 0 loop
            visit[n] := i;
            n := above[n];
        end loop;
        if visit[n] = i then
            perform raise_parent_loop(ids[n]);
        end if;
    end loop;
    return null;
end;
$$;

comment on function refuse_parent_loop_among_new() is
    'Refuses tasks of one statement that are each other''s parents.';

create function refuse_parent_loop()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if new.parent_id is null or new.parent_id is not distinct from old.parent_id then
        return null;
    end if;

    update parent_guard set version = version + 1 where only_row;
    if not found then
        insert into parent_guard (version) values (0) on conflict do nothing;
        update parent_guard set version = version + 1 where only_row;
    end if;
    if exists (
        with recursive ancestor as (
            select new.parent_id as id
            union
            select task.parent_id
            from ancestor
            inner join tasks as task on task.id = ancestor.id
            where task.parent_id is not null
        )

        select from ancestor where ancestor.id = new.id
    ) then
        perform raise_parent_loop(new.id);
    end if;
    return null;
end;
$$;

comment on function refuse_parent_loop() is 'Refuses to make a task a part of its own part.';

create trigger tasks_10_refuse_parent_loop_among_new
    after insert on tasks
    referencing new table as created
    for each statement
    execute function refuse_parent_loop_among_new();

create trigger tasks_10_refuse_parent_loop
    after update of parent_id on tasks
    for each row
    execute function refuse_parent_loop();

-- Keeps task_search: the words of new tasks, and of those whose text changes.
create function index_new_text()
    returns trigger
    language plpgsql
    set search_path from current
as $$
declare
    ids uuid[];
begin
    select array_agg(created.id) into ids from created;

    insert into task_search (task_id, title, document)
    with text as (
        select task.id, task.title, task.description
        from tasks as task
        where task.id = any(ids)
    )

    select text.id, text.title, task_document(text.title, text.description)
    from text;
    return null;
end;
$$;

comment on function index_new_text() is 'Writes the words of new tasks into task_search.';

create function index_text()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if
        old.title is distinct from new.title
        or old.description is distinct from new.description
    then
        update task_search
        set title = new.title, document = task_document(new.title, new.description)
        where task_id = new.id;
    end if;
    return null;
end;
$$;

comment on function index_text() is 'Writes the changed words of a task into task_search.';

create trigger tasks_90_index_new_text
    after insert on tasks
    referencing new table as created
    for each statement
    execute function index_new_text();

create trigger tasks_90_index_text
    after update of title, description on tasks
    for each row
    execute function index_text();

-- History is written by triggers, or imported with its source; it is never changed, and
-- goes only with its task.
create function refuse_hand_written_history()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    raise exception using
        errcode = 'TD004',
        message = 'task_history is written by triggers only',
        detail = format('TD004 %s', lower(tg_op)),
        hint = 'Change the status of the task; an importer gives its rows a source.';
end;
$$;

comment on function refuse_hand_written_history() is 'Refuses history that no trigger wrote.';

create trigger task_history_10_refuse_hand_written
    before insert on task_history
    for each row
    when (pg_trigger_depth() = 0 and new.source is null)
    execute function refuse_hand_written_history();

create trigger task_history_10_refuse_change
    before update on task_history
    for each row
    execute function refuse_hand_written_history();

create trigger task_history_10_refuse_removal
    before delete on task_history
    for each row
    when (pg_trigger_depth() = 0)
    execute function refuse_hand_written_history();

create function refuse_truncated_history()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if exists (select from tasks) then
        raise exception using
            errcode = 'TD004',
            message = 'task_history goes only with its tasks',
            detail = 'TD004 truncate',
            hint = 'Delete the tasks; "truncate tasks cascade" empties both.';
    end if;
    return null;
end;
$$;

comment on function refuse_truncated_history() is
    'Refuses to empty task_history while there are tasks.';

create trigger task_history_10_refuse_truncation
    after truncate on task_history
    for each statement
    execute function refuse_truncated_history();
