-- PUBLIC may execute no function of taskdb. Functions of the extension keep its own grants.
revoke execute on function
    is_active,
    is_dead,
    is_satisfied,
    names_files,
    phase_names,
    spec_text,
    utf8_bytes,
    shared.uuidv7()
from public;
