-- PUBLIC may run no function of taskdb. (Those of the extension are everybody's, as it made them.)
revoke execute on function
    is_active,
    is_satisfied,
    names_files,
    phase_names,
    spec_text,
    utf8_bytes,
    shared.uuidv7()
from public;
