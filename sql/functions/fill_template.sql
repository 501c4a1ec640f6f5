-- The files of a template with its variables put in. Each content is split at its placeholders once
-- and joined again, so a value is never interpreted: any {{NAME}}, backslash or regular expression
-- in it stays as it is. A placeholder of no variable stays, too.
create function fill_template(
    files jsonb, required_vars text[], optional_vars text[], given jsonb
)
    returns jsonb
    language plpgsql
    immutable
    set search_path from current
as $$
declare
    placeholder constant text := '\{\{([A-Za-z_][A-Za-z0-9_]*)\}\}';
    missing text;
    unknown text;
begin
    select string_agg(variable.name, ', ' order by variable.name)
    into missing
    from unnest(required_vars) as variable (name)
    where not given ? variable.name;
    select string_agg(variable.name, ', ' order by variable.name)
    into unknown
    from jsonb_object_keys(given) as variable (name)
    where variable.name <> all (required_vars || optional_vars);
    if missing is not null or unknown is not null then
        raise exception using
            errcode = 'TD005',
            message = 'the variables are not those of the template',
            detail = 'TD005 variables: '
                || concat_ws(
                    ' and ', 'must give ' || missing, 'must not give ' || unknown
                );
    end if;
    return coalesce(
        (
            select jsonb_object_agg(file.path, filled.content)
            from jsonb_each_text(files) as file (path, content)
            cross join lateral (
                select
                    string_agg(
                        piece.content
                        || case
                            when mark.name is null then ''
                            when mark.name = any (required_vars || optional_vars)
                                then coalesce(given ->> mark.name, '')
                            else '{{' || mark.name || '}}'
                        end,
                        '' order by piece.place
                    ) as content
                from regexp_split_to_table(file.content, placeholder)
                    with ordinality as piece (content, place)
                left join (
                    select found.names[1] as name, found.place
                    from regexp_matches(file.content, placeholder, 'g')
                        with ordinality as found (names, place)
                ) as mark on mark.place = piece.place
            ) as filled
        ),
        '{}'
    );
end;
$$;

comment on function fill_template(jsonb, text[], text[], jsonb) is
    'The files of a template with its variables put in; refuses missing and unknown ones.';
