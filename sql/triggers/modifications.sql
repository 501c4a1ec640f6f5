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
