-- Moves updated_at forward on every update, even when the clock steps back.
create function touch_updated_at()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    new.updated_at := greatest(clock_timestamp(), old.updated_at + interval '1 microsecond');
    return new;
end;
$$;

comment on function touch_updated_at() is 'Keeps updated_at: it grows with every update.';
