-- A request or an approval is for the project's current version; the moments are the server's.
create function normalize_modification()
    returns trigger
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    if tg_op = 'INSERT' or (new.status = 'approved' and old.status <> 'approved') then
        select project.version
        into new.base_version
        from project_contexts as project
        where project.id = new.project_id;
        -- A missing project is reported by the foreign key.
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

comment on function normalize_modification() is
    'Fills in the version that a modification is of, and its moments.';

create trigger modifications_50_normalize
    before insert or update on modifications
    for each row
    execute function normalize_modification();
