-- Counts an edit of a task's text or plan, and moves updated_at forward.
create function count_edit_of_details()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    new.version := old.version + 1;
    new.updated_at := greatest(clock_timestamp(), old.updated_at + interval '1 microsecond');
    return new;
end;
$$;

comment on function count_edit_of_details() is 'Counts an edit, and moves updated_at forward.';

create trigger task_details_50_count_edit
    before update of
    description, feature_id, parent_id, complexity_score, estimated_hours, actual_hours,
    requirements, context, metadata, labels, file_path, created_by,
    retry_delay, retry_factor, max_retry_delay
    on task_details
    for each row
    execute function count_edit_of_details();
