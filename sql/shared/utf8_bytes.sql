-- A text's bytes in UTF-8. convert_to is only stable, since someone might redefine a
-- conversion; for the built-in one it is safe to promise more, as generated columns need.
create function utf8_bytes(content text)
    returns bytea
    language sql
    immutable
    strict
    parallel safe
return convert_to(content, 'UTF8');

comment on function utf8_bytes(text) is 'The bytes of a text in UTF-8.';
