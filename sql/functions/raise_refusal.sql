-- Refuses a value, and names the field and the rule.
create function raise_refusal(field text, rule text)
    returns void
    language plpgsql
    immutable
    set search_path from current
as $$
begin
    raise exception using
        errcode = 'TD005',
        message = format('%s %s', field, rule),
        detail = format('TD005 %s: %s', field, rule);
end;
$$;

comment on function raise_refusal(text, text) is 'Raises TD005 with the field and the rule.';
