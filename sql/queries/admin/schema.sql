-- The parts of a schema, as the catalogue has them: one row for each aspect of each object. Two
-- schemas are alike if these rows are, in whatever order their objects were created. The reader
-- sets search_path to nothing first, so that every name is qualified.
--
-- Left out: the migration runner's own tables, and objects of an extension.

-- name: schema_aspects
-- The schema itself, and its default privileges.
select
    'schema' as kind,
    namespace.nspname as name,
    aspect.name as aspect,
    aspect.value
from pg_namespace as namespace
cross join lateral (
    values
    ('owner', pg_get_userbyid(namespace.nspowner)::text),
    ('grants', (
        select string_agg(acl.item::text, ' ' order by acl.item::text)
        from unnest(coalesce(namespace.nspacl, acldefault('n', namespace.nspowner))) as acl (item)
    )),
    ('default grants', (
        select
            string_agg(
                concat_ws(' ', pg_get_userbyid(later.defaclrole), later.defaclobjtype, acl.item),
                ', '
                order by
                    concat_ws(' ', pg_get_userbyid(later.defaclrole), later.defaclobjtype, acl.item)
            )
        from pg_default_acl as later
        cross join lateral unnest(later.defaclacl) as acl (item)
        where later.defaclnamespace = namespace.oid
    )),
    ('comment', obj_description(namespace.oid, 'pg_namespace'))
) as aspect (name, value)
where namespace.nspname = :schema;

-- name: extension_aspects
select
    'extension' as kind,
    extension.extname as name,
    'version' as aspect,
    extension.extversion as value
from pg_extension as extension
inner join pg_namespace as namespace on namespace.oid = extension.extnamespace
where namespace.nspname = :schema;

-- name: type_aspects
-- Enumerated types, domains, ranges, and composite types of their own.
select
    'type' as kind,
    type.typname as name,
    aspect.name as aspect,
    aspect.value
from pg_type as type
inner join pg_namespace as namespace on namespace.oid = type.typnamespace
left join pg_class as relation on relation.oid = type.typrelid
cross join lateral (
    values
    ('sort', type.typtype::text),
    ('labels', (
        select string_agg(quote_literal(label.enumlabel), ', ' order by label.enumsortorder)
        from pg_enum as label
        where label.enumtypid = type.oid
    )),
    ('attributes', (
        select
            string_agg(
                attribute.attname || ' ' || format_type(attribute.atttypid, attribute.atttypmod),
                ', '
                order by attribute.attnum
            )
        from pg_attribute as attribute
        where
            attribute.attrelid = type.typrelid
            and attribute.attnum > 0
            and not attribute.attisdropped
    )),
    ('base type', (
        select format_type(type.typbasetype, type.typtypmod)
        where type.typtype = 'd'
    )),
    ('subtype', (
        select format_type(range.rngsubtype, null)
        from pg_range as range
        where range.rngtypid = type.oid
    )),
    ('not null', type.typnotnull::text),
    ('default', type.typdefault),
    ('collation', (
        select pg_collation.collname::text
        from pg_collation
        where pg_collation.oid = type.typcollation and type.typtype = 'd'
    )),
    ('owner', pg_get_userbyid(type.typowner)::text),
    ('grants', (
        select string_agg(acl.item::text, ' ' order by acl.item::text)
        from unnest(coalesce(type.typacl, acldefault('T', type.typowner))) as acl (item)
    )),
    ('comment', obj_description(type.oid, 'pg_type'))
) as aspect (name, value)
where
    namespace.nspname = :schema
    and type.typtype in ('e', 'd', 'r', 'c')
    and (type.typrelid = 0 or relation.relkind = 'c')
    and not exists (
        select 1
        from pg_depend as dependency
        where
            dependency.classid = 'pg_type'::regclass
            and dependency.objid = type.oid
            and dependency.deptype = 'e'
    );

-- name: relation_aspects
-- Tables, views, materialized views, sequences.
select
    case relation.relkind
        when 'r' then 'table'
        when 'p' then 'partitioned table'
        when 'v' then 'view'
        when 'm' then 'materialized view'
        when 'f' then 'foreign table'
        else 'sequence'
    end as kind,
    relation.relname as name,
    aspect.name as aspect,
    aspect.value
from pg_class as relation
inner join pg_namespace as namespace on namespace.oid = relation.relnamespace
left join pg_sequence as sequence on sequence.seqrelid = relation.oid
cross join lateral (
    values
    ('persistence', relation.relpersistence::text),
    ('options', (
        select string_agg(option.item, ', ' order by option.item)
        from unnest(relation.reloptions) as option (item)
    )),
    ('row security', concat_ws(
        ' ', relation.relrowsecurity::text, relation.relforcerowsecurity::text
    )),
    ('replica identity', relation.relreplident::text),
    ('partition key', pg_get_partkeydef(relation.oid)),
    ('partition bound', pg_get_expr(relation.relpartbound, relation.oid)),
    ('parents', (
        select string_agg(ancestor.inhparent::regclass::text, ', ' order by ancestor.inhseqno)
        from pg_inherits as ancestor
        where ancestor.inhrelid = relation.oid
    )),
    ('definition', (
        select pg_get_viewdef(relation.oid, true)
        where relation.relkind in ('v', 'm')
    )),
    ('sequence', (
        select
            concat_ws(
                ' ',
                format_type(sequence.seqtypid, null),
                'start', sequence.seqstart,
                'increment', sequence.seqincrement,
                'minimum', sequence.seqmin,
                'maximum', sequence.seqmax,
                'cache', sequence.seqcache,
                'cycle', sequence.seqcycle
            )
        where relation.relkind = 'S'
    )),
    ('owned by', (
        select dependency.refobjid::regclass::text || '.' || attribute.attname
        from pg_depend as dependency
        inner join pg_attribute as attribute
            on
                attribute.attrelid = dependency.refobjid
                and attribute.attnum = dependency.refobjsubid
        where
            relation.relkind = 'S'
            and dependency.classid = 'pg_class'::regclass
            and dependency.objid = relation.oid
            and dependency.deptype in ('a', 'i')
            and dependency.refclassid = 'pg_class'::regclass
            and dependency.refobjsubid > 0
    )),
    ('foreign', (
        select concat_ws(' ', server.srvname, remote.ftoptions)
        from pg_foreign_table as remote
        inner join pg_foreign_server as server on server.oid = remote.ftserver
        where remote.ftrelid = relation.oid
    )),
    ('row type', nullif(relation.reloftype, 0)::regtype::text),
    ('access method', (
        select pg_am.amname::text
        from pg_am
        where pg_am.oid = relation.relam
    )),
    ('owner', pg_get_userbyid(relation.relowner)::text),
    ('grants', (
        select string_agg(acl.item::text, ' ' order by acl.item::text)
        from
            unnest(
                coalesce(
                    relation.relacl,
                    acldefault(
                        case when relation.relkind = 'S' then 's' else 'r' end::"char",
                        relation.relowner
                    )
                )
            ) as acl (item)
    )),
    ('comment', obj_description(relation.oid, 'pg_class'))
) as aspect (name, value)
where
    namespace.nspname = :schema
    and relation.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
    and relation.relname not in (
        '_taskdb_migration', '_yoyo_migration', '_yoyo_log', '_yoyo_version', 'yoyo_lock'
    )
    and not exists (
        select 1
        from pg_depend as dependency
        where
            dependency.classid = 'pg_class'::regclass
            and dependency.objid = relation.oid
            and dependency.deptype = 'e'
    );

-- name: column_aspects
-- Columns of tables and views. Their order is left out: a later column comes last.
select
    'column' as kind,
    relation.relname || '.' || attribute.attname as name,
    aspect.name as aspect,
    aspect.value
from pg_attribute as attribute
inner join pg_class as relation on relation.oid = attribute.attrelid
inner join pg_namespace as namespace on namespace.oid = relation.relnamespace
left join pg_attrdef as filled
    on filled.adrelid = attribute.attrelid and filled.adnum = attribute.attnum
cross join lateral (
    values
    ('type', format_type(attribute.atttypid, attribute.atttypmod)),
    ('not null', attribute.attnotnull::text),
    -- Since 18 it may be so for new rows alone.
    ('not null not validated', (
        select held.conname::text
        from pg_constraint as held
        where
            held.conrelid = attribute.attrelid
            and held.contype = 'n'
            and held.conkey = array[attribute.attnum]
            and not held.convalidated
    )),
    (
        case when attribute.attgenerated = '' then 'default' else 'generated' end,
        pg_get_expr(filled.adbin, filled.adrelid)
    ),
    ('generation', nullif(attribute.attgenerated::text, '')),
    ('identity', nullif(attribute.attidentity::text, '')),
    ('collation', (
        select collation_namespace.nspname || '.' || pg_collation.collname
        from pg_collation
        inner join pg_namespace as collation_namespace
            on collation_namespace.oid = pg_collation.collnamespace
        where pg_collation.oid = attribute.attcollation
    )),
    ('storage', attribute.attstorage::text),
    ('compression', nullif(attribute.attcompression::text, '')),
    ('statistics', nullif(attribute.attstattarget, -1)::text),
    ('options', (
        select string_agg(option.item, ', ' order by option.item)
        from unnest(attribute.attoptions) as option (item)
        -- A stamp of the server's own, since 15.20: another in each database.
        where option.item not like 'pg\_attver=%'
    )),
    ('grants', (
        select string_agg(acl.item::text, ' ' order by acl.item::text)
        from unnest(attribute.attacl) as acl (item)
    )),
    ('comment', col_description(attribute.attrelid, attribute.attnum))
) as aspect (name, value)
where
    namespace.nspname = :schema
    and relation.relkind in ('r', 'p', 'v', 'm', 'f')
    and attribute.attnum > 0
    and not attribute.attisdropped
    and relation.relname not in (
        '_taskdb_migration', '_yoyo_migration', '_yoyo_log', '_yoyo_version', 'yoyo_lock'
    );

-- name: constraint_aspects
-- Constraints of tables and domains. "Not null" is an aspect of its column.
select
    'constraint' as kind,
    coalesce(relation.relname, domain.typname, '') || '.' || held.conname as name,
    aspect.name as aspect,
    aspect.value
from pg_constraint as held
inner join pg_namespace as namespace on namespace.oid = held.connamespace
left join pg_class as relation on relation.oid = held.conrelid
left join pg_type as domain on domain.oid = held.contypid
cross join lateral (
    values
    ('definition', pg_get_constraintdef(held.oid)),
    ('validated', held.convalidated::text),
    ('comment', obj_description(held.oid, 'pg_constraint'))
) as aspect (name, value)
where
    namespace.nspname = :schema
    and held.contype in ('c', 'f', 'p', 'u', 'x')
    and coalesce(relation.relname, '') not in (
        '_taskdb_migration', '_yoyo_migration', '_yoyo_log', '_yoyo_version', 'yoyo_lock'
    );

-- name: index_aspects
select
    'index' as kind,
    owner.relname || '.' || relation.relname as name,
    aspect.name as aspect,
    aspect.value
from pg_index as index
inner join pg_class as relation on relation.oid = index.indexrelid
inner join pg_class as owner on owner.oid = index.indrelid
inner join pg_namespace as namespace on namespace.oid = relation.relnamespace
cross join lateral (
    values
    ('definition', pg_get_indexdef(index.indexrelid)),
    ('valid', (index.indisvalid and index.indisready)::text),
    ('clustered', index.indisclustered::text),
    ('replica identity', index.indisreplident::text),
    ('statistics', (
        select
            string_agg(
                attribute.attname || ' ' || attribute.attstattarget::text,
                ', '
                order by attribute.attnum
            )
        from pg_attribute as attribute
        where attribute.attrelid = index.indexrelid and attribute.attstattarget >= 0
    )),
    ('comment', obj_description(index.indexrelid, 'pg_class'))
) as aspect (name, value)
where
    namespace.nspname = :schema
    and owner.relname not in (
        '_taskdb_migration', '_yoyo_migration', '_yoyo_log', '_yoyo_version', 'yoyo_lock'
    );

-- name: trigger_aspects
select
    'trigger' as kind,
    relation.relname || '.' || fired.tgname as name,
    aspect.name as aspect,
    aspect.value
from pg_trigger as fired
inner join pg_class as relation on relation.oid = fired.tgrelid
inner join pg_namespace as namespace on namespace.oid = relation.relnamespace
cross join lateral (
    values
    ('definition', pg_get_triggerdef(fired.oid)),
    ('enabled', fired.tgenabled::text),
    ('comment', obj_description(fired.oid, 'pg_trigger'))
) as aspect (name, value)
where
    namespace.nspname = :schema
    and not fired.tgisinternal;

-- name: function_aspects
-- Functions, procedures and aggregates, each under its name and argument types.
select
    'function' as kind,
    function.proname
    || '('
    || coalesce(pg_get_function_identity_arguments(function.oid), '')
    || ')' as name,
    aspect.name as aspect,
    aspect.value
from pg_proc as function
inner join pg_namespace as namespace on namespace.oid = function.pronamespace
inner join pg_language as language on language.oid = function.prolang
left join pg_aggregate as aggregate on aggregate.aggfnoid = function.oid
cross join lateral (
    values
    ('sort', function.prokind::text),
    ('arguments', pg_get_function_arguments(function.oid)),
    ('result', pg_get_function_result(function.oid)),
    ('language', language.lanname::text),
    ('body', coalesce(pg_get_function_sqlbody(function.oid), function.prosrc)),
    ('volatility', function.provolatile::text),
    ('strict', function.proisstrict::text),
    ('security definer', function.prosecdef::text),
    ('leakproof', function.proleakproof::text),
    ('parallel', function.proparallel::text),
    ('cost', function.procost::text),
    ('rows', function.prorows::text),
    ('support', nullif(function.prosupport, 0)::text),
    ('settings', (
        select string_agg(setting.item, ', ' order by setting.item)
        from unnest(function.proconfig) as setting (item)
    )),
    ('aggregate', (
        select
            concat_ws(
                ' ',
                aggregate.aggtransfn,
                format_type(aggregate.aggtranstype, null),
                aggregate.aggfinalfn,
                aggregate.aggcombinefn,
                aggregate.agginitval
            )
        where function.prokind = 'a'
    )),
    ('owner', pg_get_userbyid(function.proowner)::text),
    ('grants', (
        select string_agg(acl.item::text, ' ' order by acl.item::text)
        from unnest(coalesce(function.proacl, acldefault('f', function.proowner))) as acl (item)
    )),
    ('comment', obj_description(function.oid, 'pg_proc'))
) as aspect (name, value)
where
    namespace.nspname = :schema
    and not exists (
        select 1
        from pg_depend as dependency
        where
            dependency.classid = 'pg_proc'::regclass
            and dependency.objid = function.oid
            and dependency.deptype = 'e'
    );

-- name: rule_aspects
-- Rules and row security policies, of which taskdb has none, and extended statistics.
select
    'rule' as kind,
    relation.relname || '.' || rule.rulename as name,
    'definition' as aspect,
    concat_ws(' ', rule.ev_enabled, pg_get_ruledef(rule.oid)) as value
from pg_rewrite as rule
inner join pg_class as relation on relation.oid = rule.ev_class
inner join pg_namespace as namespace on namespace.oid = relation.relnamespace
where
    namespace.nspname = :schema
    and rule.rulename <> '_RETURN'
union all
select
    'policy' as kind,
    relation.relname || '.' || policy.polname as name,
    'definition' as aspect,
    concat_ws(
        ' ',
        policy.polcmd,
        policy.polpermissive,
        policy.polroles::regrole[],
        pg_get_expr(policy.polqual, policy.polrelid),
        'check',
        pg_get_expr(policy.polwithcheck, policy.polrelid)
    ) as value
from pg_policy as policy
inner join pg_class as relation on relation.oid = policy.polrelid
inner join pg_namespace as namespace on namespace.oid = relation.relnamespace
where namespace.nspname = :schema
union all
select
    'statistics' as kind,
    extended.stxname as name,
    'definition' as aspect,
    pg_get_statisticsobjdef(extended.oid) as value
from pg_statistic_ext as extended
inner join pg_namespace as namespace on namespace.oid = extended.stxnamespace
where namespace.nspname = :schema;

-- name: operator_aspects
-- Operators, their families and classes, collations, and the parts of text search.
with operator_object (classid, objid, kind, name, value) as (
    select
        'pg_operator'::regclass,
        operator.oid,
        'operator',
        concat(
            operator.oprname,
            ' (',
            concat_ws(
                ', ',
                format_type(nullif(operator.oprleft, 0), null),
                format_type(nullif(operator.oprright, 0), null)
            ),
            ')'
        ),
        concat_ws(
            ' ',
            operator.oprcode::regprocedure,
            'result', format_type(operator.oprresult, null),
            'commutator', nullif(operator.oprcom, 0)::regoperator,
            'negator', nullif(operator.oprnegate, 0)::regoperator,
            'restrict', nullif(operator.oprrest, 0),
            'join', nullif(operator.oprjoin, 0),
            'merges', operator.oprcanmerge,
            'hashes', operator.oprcanhash
        )
    from pg_operator as operator
    inner join pg_namespace as namespace on namespace.oid = operator.oprnamespace
    where namespace.nspname = :schema
    union all
    select
        'pg_opfamily'::regclass,
        family.oid,
        'operator family',
        family.opfname || ' of ' || method.amname,
        concat_ws(
            ', ',
            (
                select
                    string_agg(
                        pg_describe_object('pg_amop'::regclass, pg_amop.oid, 0),
                        ', '
                        order by pg_describe_object('pg_amop'::regclass, pg_amop.oid, 0)
                    )
                from pg_amop
                where pg_amop.amopfamily = family.oid
            ),
            (
                select
                    string_agg(
                        pg_describe_object('pg_amproc'::regclass, pg_amproc.oid, 0),
                        ', '
                        order by pg_describe_object('pg_amproc'::regclass, pg_amproc.oid, 0)
                    )
                from pg_amproc
                where pg_amproc.amprocfamily = family.oid
            )
        )
    from pg_opfamily as family
    inner join pg_am as method on method.oid = family.opfmethod
    inner join pg_namespace as namespace on namespace.oid = family.opfnamespace
    where namespace.nspname = :schema
    union all
    select
        'pg_opclass'::regclass,
        class.oid,
        'operator class',
        class.opcname || ' of ' || method.amname,
        concat_ws(
            ' ',
            format_type(class.opcintype, null),
            'family', family.opfname,
            'default', class.opcdefault,
            'storage', nullif(class.opckeytype, 0)::regtype
        )
    from pg_opclass as class
    inner join pg_am as method on method.oid = class.opcmethod
    inner join pg_opfamily as family on family.oid = class.opcfamily
    inner join pg_namespace as namespace on namespace.oid = class.opcnamespace
    where namespace.nspname = :schema
    union all
    select
        'pg_collation'::regclass,
        pg_collation.oid,
        'collation',
        pg_collation.collname::text,
        -- The column of its locale has another name since 17.
        (
            to_jsonb(pg_collation)
            - array['oid', 'collname', 'collnamespace', 'collowner', 'collversion']
        )::text
    from pg_collation
    inner join pg_namespace as namespace on namespace.oid = pg_collation.collnamespace
    where namespace.nspname = :schema
    union all
    select
        'pg_ts_dict'::regclass,
        dictionary.oid,
        'text search dictionary',
        dictionary.dictname::text,
        concat_ws(' ', template.tmplname, dictionary.dictinitoption)
    from pg_ts_dict as dictionary
    inner join pg_ts_template as template on template.oid = dictionary.dicttemplate
    inner join pg_namespace as namespace on namespace.oid = dictionary.dictnamespace
    where namespace.nspname = :schema
    union all
    select
        'pg_ts_config'::regclass,
        configuration.oid,
        'text search configuration',
        configuration.cfgname::text,
        concat_ws(
            ' ',
            parser.prsname,
            (
                select
                    string_agg(
                        concat_ws(' ', entry.maptokentype, entry.mapdict::regdictionary),
                        ', '
                        order by entry.maptokentype, entry.mapseqno
                    )
                from pg_ts_config_map as entry
                where entry.mapcfg = configuration.oid
            )
        )
    from pg_ts_config as configuration
    inner join pg_ts_parser as parser on parser.oid = configuration.cfgparser
    inner join pg_namespace as namespace on namespace.oid = configuration.cfgnamespace
    where namespace.nspname = :schema
)

select
    operator_object.kind,
    operator_object.name,
    aspect.name as aspect,
    aspect.value
from operator_object
cross join lateral (
    values
    ('definition', operator_object.value),
    ('comment', (
        select pg_description.description
        from pg_description
        where
            pg_description.classoid = operator_object.classid
            and pg_description.objoid = operator_object.objid
    ))
) as aspect (name, value)
where
    not exists (
        select 1
        from pg_depend as dependency
        where
            dependency.classid = operator_object.classid
            and dependency.objid = operator_object.objid
            and dependency.deptype = 'e'
    );

-- name: database_aspects
-- Objects of no schema: casts, event triggers, publications, foreign servers, languages, and the
-- privileges that later objects get in any schema.
with database_object (classid, objid, kind, name, value) as (
    select
        'pg_cast'::regclass,
        pg_cast.oid,
        'cast',
        concat_ws(
            ' as ', format_type(pg_cast.castsource, null), format_type(pg_cast.casttarget, null)
        ),
        concat_ws(
            ' ',
            nullif(pg_cast.castfunc, 0)::regprocedure, pg_cast.castcontext, pg_cast.castmethod
        )
    from pg_cast
    union all
    select
        'pg_event_trigger'::regclass,
        fired.oid,
        'event trigger',
        fired.evtname::text,
        concat_ws(' ', fired.evtevent, fired.evtfoid::regproc, fired.evtenabled, fired.evttags)
    from pg_event_trigger as fired
    union all
    select
        'pg_publication'::regclass,
        publication.oid,
        'publication',
        publication.pubname::text,
        concat_ws(
            ' ',
            (to_jsonb(publication) - array['oid', 'pubname', 'pubowner'])::text,
            (
                select
                    string_agg(
                        concat_ws(
                            ' ',
                            published.schemaname, published.tablename, published.attnames,
                            published.rowfilter
                        ),
                        ', '
                        order by published.schemaname, published.tablename
                    )
                from pg_publication_tables as published
                where published.pubname = publication.pubname
            )
        )
    from pg_publication as publication
    union all
    select
        'pg_foreign_data_wrapper'::regclass,
        wrapper.oid,
        'foreign data wrapper',
        wrapper.fdwname::text,
        concat_ws(
            ' ',
            wrapper.fdwhandler::regproc, wrapper.fdwvalidator::regproc, wrapper.fdwoptions,
            wrapper.fdwacl
        )
    from pg_foreign_data_wrapper as wrapper
    union all
    select
        'pg_foreign_server'::regclass,
        server.oid,
        'foreign server',
        server.srvname::text,
        concat_ws(
            ' ',
            wrapper.fdwname, server.srvtype, server.srvversion, server.srvoptions, server.srvacl
        )
    from pg_foreign_server as server
    inner join pg_foreign_data_wrapper as wrapper on wrapper.oid = server.srvfdw
    union all
    select
        'pg_user_mapping'::regclass,
        mapping.umid,
        'user mapping',
        concat_ws(' of ', mapping.usename, mapping.srvname),
        -- Their names alone: a difference is printed, and a value may be a password.
        (
            select string_agg(split_part(option.setting, '=', 1), ', ' order by option.setting)
            from unnest(mapping.umoptions) as option (setting)
        )
    from pg_user_mappings as mapping
    union all
    select
        'pg_language'::regclass,
        language.oid,
        'language',
        language.lanname::text,
        concat_ws(' ', language.lanplcallfoid::regproc, language.lanpltrusted, language.lanacl)
    from pg_language as language
    union all
    select
        'pg_am'::regclass,
        pg_am.oid,
        'access method',
        pg_am.amname::text,
        concat_ws(' ', pg_am.amtype, pg_am.amhandler)
    from pg_am
    union all
    select
        'pg_default_acl'::regclass,
        later.oid,
        'default privileges',
        concat_ws(' of ', later.defaclobjtype, pg_get_userbyid(later.defaclrole)),
        later.defaclacl::text
    from pg_default_acl as later
    where later.defaclnamespace = 0
)

select
    database_object.kind,
    database_object.name,
    'definition' as aspect,
    database_object.value
from database_object
where
    database_object.objid >= 16384
    and not exists (
        select 1
        from pg_depend as dependency
        where
            dependency.classid = database_object.classid
            and dependency.objid = database_object.objid
            and dependency.deptype = 'e'
    );

-- name: own_schemas
-- The schemas of the database, but for the server's own.
select namespace.nspname as name
from pg_namespace as namespace
where
    namespace.nspname !~ '^pg_'
    and namespace.nspname <> 'information_schema'
order by namespace.nspname;
