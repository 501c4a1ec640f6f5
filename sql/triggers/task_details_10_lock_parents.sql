-- Two changes of parents that would close a cycle together meet here. A new task needs no guard:
-- it has no children yet (task_details_60_refuse_parent_cycle_among_new).
create trigger task_details_10_lock_parents
    before update of parent_id on task_details
    for each statement
    execute function write_guard('parents');
