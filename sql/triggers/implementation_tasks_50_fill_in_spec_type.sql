-- An implementation task keeps its task, and has the type of its specification, which the foreign
-- key then enforces.
create function fill_in_spec_type()
    returns trigger
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    if tg_op = 'UPDATE' and new.task_id <> old.task_id then
        raise exception using
            errcode = 'TD003',
            message = 'an implementation task keeps its task',
            detail = 'TD003 update',
            hint = 'Delete it and make another one.';
    end if;
    -- A missing specification is reported by the foreign key.
    new.spec_type := coalesce(
        (select spec.spec_type from technical_specs as spec where spec.id = new.spec_id),
        'monolithic'
    );
    return new;
end;
$$;

comment on function fill_in_spec_type() is
    'Gives an implementation task the type of its specification.';

create trigger implementation_tasks_50_fill_in_spec_type
    before insert or update of task_id, spec_id, spec_type on implementation_tasks
    for each row
    execute function fill_in_spec_type();
