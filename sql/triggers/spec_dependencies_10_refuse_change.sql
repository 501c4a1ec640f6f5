create trigger spec_dependencies_10_refuse_change
    before update on spec_dependencies
    for each row
    when ((old.spec_id, old.depends_on_id) is distinct from (new.spec_id, new.depends_on_id))
    execute function refuse_changed_edge();
