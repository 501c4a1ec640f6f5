create trigger task_history_10_refuse_removal
    before delete on task_history
    for each row
    when (pg_trigger_depth() = 0)
    execute function refuse_hand_written_history();
