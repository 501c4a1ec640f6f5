-- Two new dependencies that would close a cycle together meet here. They are few.
create trigger spec_dependencies_10_lock
    before insert on spec_dependencies
    for each statement
    execute function write_guard('spec_dependencies');
