-- Messages are never changed.
create function refuse_changed_message()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    raise exception using
        errcode = 'TD003',
        message = 'a message cannot be changed',
        detail = 'TD003 update',
        hint = 'Append another message.';
end;
$$;

comment on function refuse_changed_message() is 'Refuses to change a message.';

create trigger tech_conversations_10_refuse_change
    before update on tech_conversations
    for each row
    execute function refuse_changed_message();
