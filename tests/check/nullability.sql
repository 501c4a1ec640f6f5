-- Columns of which it is known whether they can be NULL: what the check must find out.
--
-- Under each query stands a line for each of its columns: `NULL`, and then the query gives a
-- NULL there when it runs on the rows below; or `not null`, and a proof. Above it may stand on
-- which versions it runs, what is done first, and the parameters. tests/check/test_nullability.py
-- reads all this, and undoes every query.

create schema labelled;
set local search_path to labelled;
create type mood as enum ('calm', 'cross');
create domain filled as integer not null;
create table task (
    id integer primary key,
    title text not null,
    n integer,
    k integer not null,
    parent_id integer references task,
    due timestamptz,
    made timestamptz not null,
    tags text[],
    marks integer[] not null,
    doc jsonb,
    meta jsonb not null,
    mood mood not null,
    span int4range not null,
    d filled,
    rate numeric not null,
    done boolean,
    open boolean not null
);
create table note (
    id integer primary key,
    task_id integer not null references task,
    body text not null,
    author text
);
create table link (id integer primary key, task_id integer references task, w numeric);
create table nothing (id integer primary key, v integer not null);
create table plain (
    id integer primary key,
    n integer,
    k integer not null,
    twice integer generated always as (n * 2) stored,
    s text default 'new'
);
create table guarded (id integer primary key, n integer, k integer not null);
insert into guarded values (1, 1, 1);
create function clear_n() returns trigger language plpgsql as $$
begin
    new.n := null;
    return new;
end;
$$;
create trigger clear_n before insert or update on guarded for each row execute function clear_n();
create table log (id integer not null, k integer not null, n integer) partition by list (k);
create table log_1 partition of log for values in (1);
create table log_rest partition of log default;
create table base (id integer not null, k integer not null);
create table derived () inherits (base);
create function halve(integer) returns integer strict immutable language sql
as 'select case when $1 % 2 = 0 then $1 / 2 end';
create view due_task as select id, title, n, k + 1 as next_k from task where due is not null;
create view task_note as
select task.id, task.title, note.body, note.task_id
from task left join note on task.id = note.task_id;
create view per_parent as
select parent_id, count(*) as tasks, max(n) as most from task group by parent_id;
insert into task values
(1, 'a', null, 1, null, '2030-01-01', '2020-01-01', '{x}', '{1}', '{"a": 1}', '{"a": null}',
 'calm', '[1,2)', 1, 1, true, true),
(2, 'b', 2, 2, 1, null, 'infinity', null, '{}', null, '{}', 'cross', '(,)', 2, 'NaN', null, false),
(3, 'a', 3, 2, 1, 'infinity', '2020-01-01', '{null}', '{null}', 'null', '[1]',
 'calm', 'empty', 3, 0, false, true),
(4, '', null, 4, null, null, '2020-01-01', '{}', '{1,2}', '{}', '{"a": {"b": 2}}',
 'cross', '[3,4)', 4, 5, null, true);
insert into note values (1, 1, 'hello', 'ann'), (2, 1, 'again', null), (3, 2, 'x', 'bob');
insert into link values (1, 1, 1.5), (2, null, null), (3, 4, 2);
insert into plain (id, n, k, s) values (1, 1, 1, 'x'), (2, null, 2, null);
insert into log values (1, 1, null), (2, 5, 2);
insert into base values (1, 1);
insert into derived values (2, 2);

-- # Functions of several versions

select jsonb_strip_nulls(meta) as kept from task;
-- kept: not null, it takes a second argument since 18

-- # Tables

select id, n, title, d from task;
-- id: not null, primary key
-- n: NULL
-- title: not null, by its constraint
-- d: not null, but a domain NOT NULL can be got around, so this is beyond the check

-- first: insert into task (id, title, k, made, marks, meta, mood, span, d, rate, open) values (9, '', 9, now(), '{}', '{}', 'calm', '[1,2)', (select d from task where false), 1, true)
select d from task;
-- d: NULL

select t, t.ctid, t.tableoid, t.xmin, t.xmax = 0 as kept, t.cmin from task as t;
-- t: not null, a row of a table is a row
-- ctid: not null, every stored row has its place
-- tableoid: not null, every stored row has its table
-- xmin: not null, every stored row has who wrote it
-- kept: not null, every stored row has who ended it, or 0
-- cmin: not null, every stored row has the command that wrote it

select (t).n, (t).id from task as t;
-- n: NULL
-- id: not null, primary key

select id, k, n from log;
-- id: not null, in all partitions
-- k: not null, in all partitions
-- n: NULL

-- # Joins

select t.id, p.id as parent, p.title from task as t left join task as p on t.parent_id = p.id;
-- id: not null, the left side of a left join stays
-- parent: NULL
-- title: NULL

select t.id, p.title, t.parent_id from task as t inner join task as p on t.parent_id = p.id;
-- id: not null, primary key
-- title: not null, both sides of an inner join are there
-- parent_id: not null, it equals something

select n.body, t.title, t.id from note as n right join task as t on n.task_id = t.id;
-- body: NULL
-- title: not null, the right side of a right join stays
-- id: not null, the right side of a right join stays

select t.id, l.id as link, t.title from task as t full join link as l on t.id = l.task_id;
-- id: NULL
-- link: NULL
-- title: NULL

select id, t.k, l.w from (select * from task where id < 3) as t full join link as l using (id);
-- id: not null, it is of one side or the other, and both have it
-- k: NULL
-- w: NULL

select
    coalesce(t.id, l.id) as any_id,
    coalesce(t.n, l.task_id) as any_n
from task as t full join link as l on t.id = l.task_id;
-- any_id: not null, one side is there, with its key
-- any_n: NULL

select id, t.k, l.w from task as t left join link as l using (id);
-- id: not null, USING of a left join shows the left column
-- k: not null, the left side stays
-- w: NULL

select j.id, j.w from (task as t left join link as l using (id)) as j;
-- id: not null, the same by the name of the join
-- w: NULL

select n.author, n.id, t.id as task
from task as t left join note as n on t.id = n.task_id where n.body <> '';
-- author: NULL
-- id: not null, WHERE compares n.body, so there is a match
-- task: not null, primary key

select n.id, p.title
from task as t
left join note as n on t.id = n.task_id
left join task as p on n.task_id = p.id
where p.k > 0;
-- id: not null, p is there, so its ON was true, which compares n.task_id
-- title: not null, WHERE compares p.k

select n.id, t.id as task
from note as n full join task as t on n.id + 2 = t.id where n.id is not null;
-- id: not null, WHERE says so
-- task: NULL

select x.id, n.id as note, l.id as link
from task as x
left join (note as n inner join link as l on n.task_id = l.task_id) on x.id = n.task_id;
-- id: not null, the left side stays
-- note: NULL
-- link: NULL

select n.id as note, l.id as link
from task as x
left join (note as n inner join link as l on n.task_id = l.task_id) on x.id = n.task_id
where l.w > 0;
-- note: not null, l is there, so all of the parentheses is
-- link: not null, WHERE compares l.w

select t.id, s.one from task as t left join (select id, 1 as one from note) as s on t.id = s.id;
-- id: not null, the left side stays
-- one: NULL

select s.one from task as t left join (select id, 1 as one from note) as s on t.id = s.id
where s.id > 0;
-- one: not null, s is there, and it is a constant

select a.n, b.n as other from task as a inner join task as b on a.n = b.n;
-- n: not null, an equality was true of it
-- other: not null, an equality was true of it

select a.n, b.n as other from task as a inner join task as b on a.n is not distinct from b.n;
-- n: NULL
-- other: NULL

select u from task as t left join note as u on t.id = u.task_id;
-- u: NULL

-- # Conditions

select n from task where n is not null;
-- n: not null, WHERE says so

select n, due from task where n > 1 and k > 0;
-- n: not null, a strict operator was true of it
-- due: NULL

select n from task where n > 1 or k > 0;
-- n: NULL

select n from task where n > 1 or n is not null;
-- n: not null, both arms of OR say so

select n, due from task where not (n is null or k > 100);
-- n: not null, no arm was true
-- due: NULL

select n from task where (n = 1) is not true;
-- n: NULL

select n from task where (n > 1) is true;
-- n: not null, a strict operator was true of it

select n from task where (n > 1) is not unknown;
-- n: not null, a strict operator was not NULL

select n from task where n in (2, 3);
-- n: not null, it equals something

select n from task where n not in (2, 5);
-- n: not null, it differs from 2

select n from task where n not in (2, null);
-- n: not null, as no row gets through

select n from task where n <> all ('{}'::integer[]);
-- n: NULL

select n from task where n <> all (array_remove(marks, 1));
-- n: NULL

select n from task where n = any (array[2, null]);
-- n: not null, it equals an element

select n from task where n in (select k from task);
-- n: not null, it equals a row of the subquery

select n from task where n not in (select v from nothing);
-- n: NULL

select n from task where n between 1 and 5;
-- n: not null, it was compared

select n from task where halve(n) is not null;
-- n: not null, a strict function of it gave a value

select n from task where coalesce(n, 1) = 1;
-- n: NULL

select due from task where due + interval '1 day' > now();
-- due: not null, strict operators all the way

select doc ->> 'a' as a, doc from task where doc ->> 'a' is not null;
-- a: not null, WHERE says so of the same expression
-- doc: not null, a strict operator of it gave a value

select doc ->> 'b' as b from task where doc ->> 'a' is not null;
-- b: NULL

select n, tags from task where (n, tags) is not null;
-- n: not null, no field of the row is NULL
-- tags: not null, no field of the row is NULL

select n from task where n is distinct from 3;
-- n: NULL

select done from task where not done;
-- done: not null, it is false

-- # Functions and operators

select k + 1 as a, n + 1 as b, -k as c, title || 'x' as d, title || n as e from task;
-- a: not null, a sum of values
-- b: NULL
-- c: not null, minus a value
-- d: not null, two texts
-- e: NULL

select to_char(made, 'YYYY') as a, extract(hour from made) as b, made::time as c from task;
-- a: NULL
-- b: NULL
-- c: NULL

select
    extract(epoch from made) as a,
    date_trunc('day', made) as b,
    made::date as c,
    made + interval '1 day' as d,
    made at time zone 'UTC' as e
from task;
-- a: not null, infinity has an epoch
-- b: not null, infinity stays
-- c: not null, dates have infinity too
-- d: not null, infinity stays
-- e: not null, infinity stays

select
    meta -> 'a' as a,
    meta ->> 'a' as b,
    meta #>> '{a,b}' as c,
    meta ? 'a' as d,
    meta || '{}' as e,
    jsonb_typeof(meta) as f
from task;
-- a: NULL
-- b: NULL
-- c: NULL
-- d: not null, true or false
-- e: not null, two documents
-- f: not null, each document has a type

-- on 18
select (jsonb_build_array(null) -> 0)::integer as a, ('null'::jsonb)::integer as b;
-- a: NULL
-- b: NULL

select lower(span) as a, upper(span) as b, isempty(span) as c, span @> 1 as d from task;
-- a: NULL
-- b: NULL
-- c: not null, true or false
-- d: not null, true or false

select
    lower(title) as a,
    length(title) as b,
    substring(title from 'z') as c,
    substring(title from 1 for 1) as d,
    regexp_replace(title, 'a', 'b') as e,
    split_part(title, ' ', 2) as f,
    (regexp_match(title, 'z'))[1] as g,
    title like '%a' as h
from task;
-- a: not null, text has a lower case
-- b: not null, text has a length
-- c: NULL
-- d: not null, a part by position is empty at worst
-- e: not null, replaced or not
-- f: not null, a missing part is empty
-- g: NULL
-- h: not null, true or false

select
    array_length(marks, 1) as a,
    cardinality(marks) as b,
    marks[1] as c,
    marks || 1 as d,
    array_append(tags, 'y') as e,
    array_to_string(marks, ',') as f
from task;
-- a: NULL
-- b: not null, an empty array has 0 elements
-- c: NULL
-- d: not null, an array
-- e: not null, NULL counts as an empty array here
-- f: not null, NULL elements are left out

select
    k = any (marks) as a,
    k in (1, 2) as b,
    k = any (array[1, n]) as c,
    k in (select n from task) as d,
    k in (select id from task) as e,
    k <> all ('{1,2}') as f,
    k > all (select n from task) as g
from task;
-- a: NULL
-- b: not null, values are compared with values
-- c: NULL
-- d: NULL
-- e: not null, a NOT NULL column with a primary key
-- f: not null, values are compared with values
-- g: NULL

select
    coalesce(n, 0) as a,
    coalesce(n, parent_id) as b,
    nullif(k, 2) as c,
    greatest(n, k) as d,
    least(n, parent_id) as e
from task;
-- a: not null, 0 is there
-- b: NULL
-- c: NULL
-- d: not null, NULL is left out
-- e: NULL

select
    case when n > 1 then 1 end as a,
    case when n > 1 then 1 else 0 end as b,
    case when n is not null then n else 0 end as c,
    case when n is null then 0 else n end as d,
    case when n > 0 or k > 0 then n else 0 end as e,
    case n when 2 then n else 0 end as f
from task;
-- a: NULL
-- b: not null, both results are constants
-- c: not null, n where it is not NULL
-- d: not null, n where it is not NULL
-- e: NULL
-- f: not null, n where it is 2

select
    case when p.id is not null then p.title else 'none' end as a,
    case when p.id is null then 'none' else p.title end as b,
    case when p.id is null then p.title else 'x' end as c
from task as t left join task as p on t.parent_id = p.id;
-- a: not null, p is there in that branch
-- b: not null, p is there in that branch
-- c: NULL

select
    n is null as a,
    (n > 1) is true as b,
    n is distinct from 1 as c,
    n > 1 as d,
    not open as e,
    open and done as f,
    (k, id) < (2, 2) as g,
    (n, id) < (2, 2) as h
from task;
-- a: not null, true or false
-- b: not null, true or false
-- c: not null, true or false
-- d: NULL
-- e: not null, open is NOT NULL
-- f: NULL
-- g: not null, rows without NULL are compared
-- h: NULL

select
    concat(n, tags) as a,
    concat_ws(',', n) as b,
    concat_ws(tags[1], 'x') as c,
    format('%s', n) as d,
    concat(variadic tags) as e
from task;
-- a: not null, NULL is left out
-- b: not null, the separator is given
-- c: NULL
-- d: not null, the format is given
-- e: NULL

select
    k::text as a,
    n::text as b,
    mood::text as c,
    title::varchar(1) as d,
    'calm'::mood as e,
    title collate "C" as f,
    scale(rate) as g,
    round(rate) as h
from task;
-- a: not null, a cast of a value
-- b: NULL
-- c: not null, a cast of a value
-- d: not null, a shorter text
-- e: not null, a constant
-- f: not null, the same text
-- g: NULL
-- h: not null, NaN at worst

select
    array[n] as a,
    row(n, k) as b,
    array(select n from task) as c,
    exists (select from nothing) as d
from task;
-- a: not null, an array
-- b: not null, a row
-- c: not null, an array, empty at worst
-- d: not null, true or false

select
    current_date as a,
    current_user as b,
    now() as c,
    gen_random_uuid() as d,
    current_setting('labelled.unset', true) as e,
    to_regclass('labelled.unmade') as f;
-- a: not null, there is a day
-- b: not null, there is a user
-- c: not null, there is a time
-- d: not null, made here
-- e: NULL
-- f: NULL

-- first: set local search_path to unmade
select current_schema as a, session_user as b;
-- a: NULL
-- b: not null, there is a user

select halve(k) as a, num_nulls(n, k) as b, jsonb_build_object('n', n) as c, to_jsonb(n) as d
from task;
-- a: NULL
-- b: not null, a count
-- c: not null, an object
-- d: NULL

select k::filled as a, n::filled as b, (select null::filled where false) as c
from task where n is not null;
-- a: not null, the cast refuses NULL
-- b: not null, the cast refuses NULL
-- c: NULL

select to_tsvector('simple', title) @@ to_tsquery('simple', 'a') as a from task;
-- a: not null, true or false

-- # Parameters

-- $1: null
select $1::integer as a, coalesce($1::integer, 0) as b;
-- a: NULL
-- b: not null, 0 is there

-- $1: 1, never NULL
-- $2: null
select $1::integer as a, $2::integer as b;
-- a: not null, the caller never gives NULL
-- b: NULL

-- $1: array[1, null], never NULL
-- $2: 2
select n, k = any ($1::integer[]) as c from task where n = $2;
-- n: not null, it equals the parameter
-- c: NULL

-- $1: array[1], never NULL
-- $2: array[1, null], never NULL
select u.a, u.b from unnest($1::integer[], $2::integer[]) as u (a, b);
-- a: NULL
-- b: NULL

-- # Subqueries

select
    (select title from task where id = t.parent_id) as a,
    (select max(v) from nothing) as b,
    (select count(*) from nothing) as c,
    (select 1) as d,
    (select t.n) as e,
    (select t.k) as f,
    (select v from nothing limit 1) as g
from task as t;
-- a: NULL
-- b: NULL
-- c: not null, one row, a count
-- d: not null, one row, a constant
-- e: NULL
-- f: not null, one row, and t.k is NOT NULL
-- g: NULL

select n.id, (select t.title from task as t where t.id = n.task_id) as title from note as n;
-- id: not null, primary key
-- title: not null, by the foreign key, but that is beyond the check

select s.x, s.y from (select k + 1 as x, n as y from task) as s;
-- x: not null, a sum of values
-- y: NULL

select s.y from (select n as y from task where n > 0) as s;
-- y: not null, the inner WHERE says so

select s.y from (select n as y from task) as s where s.y is not null;
-- y: not null, the outer WHERE says so

select s.m, s.c
from task as t
cross join lateral (select max(n.id) as m, count(*) as c from note as n where n.task_id = t.id) as s;
-- m: NULL
-- c: not null, a count

select t.id, s.body
from task as t
left join lateral (select body from note as n where n.task_id = t.id limit 1) as s on true;
-- id: not null, the left side stays
-- body: NULL

select s.m, t.n from task as t cross join lateral (select t.n as m) as s where t.n is not null;
-- m: not null, it is t.n, of which WHERE says so
-- n: not null, WHERE says so

select s.a from task as t left join lateral (select t.k as a where t.k > 1) as s on true;
-- a: NULL

select g, o from generate_series(1, 3) with ordinality as s (g, o);
-- g: not null, a series has no NULL
-- o: not null, it counts

select a, o from rows from (generate_series(1, 2), generate_series(1, 3)) with ordinality as s (a, b, o);
-- a: NULL
-- o: not null, it counts the rows of the longest

select a, b from rows from (generate_series(1, 2), generate_series(1, 3)) as s (a, b);
-- a: NULL
-- b: not null, the longer one of two constants, but finding that takes running them

select u, x from unnest(array[1, null]) as u, unnest(array[1, 2]) as x;
-- u: NULL
-- x: not null, all elements are given

select key, value from jsonb_each('{"a": null}');
-- key: not null, a key
-- value: not null, JSON's null is a value

select key, value from jsonb_each_text('{"a": null}');
-- key: not null, a key
-- value: NULL

select generate_series(1, 2) as a, k from task;
-- a: not null, the only set, and without NULL
-- k: not null, by its constraint

select generate_series(1, 2) as a, generate_series(1, 3) as b, 1 as c;
-- a: NULL
-- b: not null, the longer one of two constants, but finding that takes running them
-- c: not null, a constant

-- # Views

select id, title, n, next_k from due_task;
-- id: not null, primary key
-- title: not null, by its constraint
-- n: NULL
-- next_k: not null, a sum of values

select id, title, body, task_id from task_note;
-- id: not null, the left side stays
-- title: not null, the left side stays
-- body: NULL
-- task_id: NULL

select task_id, title from task_note where task_id > 0;
-- task_id: not null, it was compared
-- title: not null, the left side stays

select parent_id, tasks, most from per_parent;
-- parent_id: NULL
-- tasks: not null, a count
-- most: NULL

select v.title, t.title as other from task as t left join due_task as v on t.id = v.id;
-- title: NULL
-- other: not null, the left side stays

-- # CTEs

with c as (select id, n from task where n > 0)
select c.id, c.n, x.n as m from c left join c as x on c.id + 1 = x.id;
-- id: not null, primary key
-- n: not null, the CTE's WHERE says so
-- m: NULL

with recursive r (i, x) as (
    select 1, 'a' union all select i + 1, x || 'b' from r where i < 3
)
select i, x from r;
-- i: not null, 1 and sums
-- x: not null, a text and longer ones

with recursive r (i, x) as (
    select 1, 5 union all select i + 1, nullif(x, 5) from r where i < 3
)
select i, x from r;
-- i: not null, 1 and sums
-- x: NULL

with recursive r (i, x, y) as (
    select 1, 1, 1 union all select i + 1, y, null from r where i < 4
)
select i, x, y from r;
-- i: not null, 1 and sums
-- x: NULL
-- y: NULL

with recursive up (id, parent_id, depth) as (
    select id, parent_id, 0 from task
    union all
    select t.id, t.parent_id, up.depth + 1 from up inner join task as t on up.parent_id = t.id
)
select id, parent_id, depth from up;
-- id: not null, primary key in both terms
-- parent_id: NULL
-- depth: not null, 0 and sums

with recursive r (i, t) as (
    select 1, 'x' union all
    select r.i + 1, p.title from r left join task as p on r.i + 10 = p.id where r.i < 3
)
select i, t from r;
-- i: not null, 1 and sums
-- t: NULL

with recursive up (id, parent_id) as (
    select id, parent_id from task where id = 4
    union all
    select t.id, t.parent_id from up inner join task as t on up.parent_id = t.id
) search depth first by id set place cycle id set looped using path
select id, parent_id, place, looped from up;
-- id: not null, primary key in both terms
-- parent_id: NULL
-- place: not null, an array that grows
-- looped: not null, true or false

with a as (select n from task), b as (select n from a where n is not null)
select b.n, a.n as m from b cross join a;
-- n: not null, b's WHERE says so
-- m: NULL

with gone as (delete from link returning id, w)
select id, w, (select count(*) from gone) as c from gone;
-- id: not null, primary key
-- w: NULL
-- c: not null, a count

-- # Set operations

select k as x from task union select n from task;
-- x: NULL

select k as x, title as y from task union all select id, body from note;
-- x: not null, on both sides
-- y: not null, on both sides

select n as x from task intersect select k from task;
-- x: not null, it is among the rows of a NOT NULL column

select n as x from task except select k from task;
-- x: NULL

select k as x from task except select n from task;
-- x: not null, rows of the left side

select id as x from task union all (select k from task except select n from task);
-- x: not null, on both sides

values (1, null), (2, 3);
-- column1: not null, all are given
-- column2: NULL

-- # Aggregates

select
    count(*) as a,
    count(n) as b,
    max(k) as c,
    array_agg(k) as d,
    coalesce(sum(n), 0) as e
from task where false;
-- a: not null, a count
-- b: not null, a count
-- c: NULL
-- d: NULL
-- e: not null, 0 is there

select
    max(k) as a,
    sum(n) as b,
    array_agg(n) as c,
    string_agg(title, ',') as d,
    bool_and(open) as e,
    avg(k) as f,
    stddev(k) as g,
    var_pop(k) as h,
    max(k) filter (where k > 100) as i,
    count(*) filter (where k > 100) as j
from task group by id;
-- a: not null, a group has a row
-- b: NULL
-- c: not null, an array of one element at least
-- d: not null, one text at least
-- e: not null, one truth at least
-- f: not null, of one number at least
-- g: NULL
-- h: not null, 0 of one number
-- i: NULL
-- j: not null, a count

-- $1: null
select $1::integer as a, count(*) as c from task where n = $1;
-- a: NULL
-- c: not null, a count

-- $1: null
with c as (select $1::integer as x)
select 1 in (select x from c) as a, count(*) as n from task where k = $1;
-- a: NULL
-- n: not null, a count

select t.id, (select count(*) + t.n from nothing where v = t.n) as a from task as t;
-- id: not null, primary key
-- a: NULL

select title, n, count(*) as c from task group by title, n;
-- title: not null, by its constraint
-- n: NULL
-- c: not null, a count

select max(n) as m from task where n is not null group by k;
-- m: not null, one number at least, and none is NULL

select max(v) as m, count(*) as c from nothing having count(*) >= 0;
-- m: NULL
-- c: not null, a count

select max(n) as m from task group by k having max(n) is not null;
-- m: not null, HAVING says so

select case when max(n) is null then 0 else max(n) end as m from task;
-- m: not null, it is not NULL in ELSE

select
    percentile_disc(0.5) within group (order by k) as a,
    mode() within group (order by n) as b,
    rank(2) within group (order by n) as c
from task group by k;
-- a: not null, of one number at least
-- b: NULL
-- c: not null, a rank

select t.title, t.n, count(b.id) as c
from task as t left join note as b on t.id = b.task_id group by t.id;
-- title: not null, the group is one task
-- n: NULL
-- c: not null, a count

-- # Grouping sets

select title, k, count(*) as c, grouping(k) as g from task group by rollup (title, k);
-- title: NULL
-- k: NULL
-- c: not null, a count
-- g: not null, a number

select title, k, max(id) as m from task group by title, rollup (k);
-- title: not null, it is in every set
-- k: NULL
-- m: not null, no set is empty, so each group has a row

select title, k, max(id) as m from task group by grouping sets ((title), (title, k));
-- title: not null, it is in every set
-- k: NULL
-- m: not null, no set is empty, so each group has a row

select title, max(v) as m from nothing cross join task group by grouping sets ((title), ());
-- title: NULL
-- m: NULL

select coalesce(title, '-') as t from task group by rollup (title);
-- t: not null, NULL is replaced

select coalesce(title, '-') as t from task group by rollup (coalesce(title, '-'));
-- t: NULL

select k + 1 as a, id from task group by cube (k + 1, id);
-- a: NULL
-- id: NULL

select n from task where n > 0 group by rollup (n);
-- n: NULL

select n from task group by rollup (n) having n is not null;
-- n: not null, HAVING says so

select case when k is not null then k else 0 end as x from task group by cube (k);
-- x: not null, k where it is not NULL

select id, title from task group by grouping sets ((id), (id, k));
-- id: not null, it is in every set
-- title: not null, each group is one task

select case when count(*) = 0 then 0 else a.k end as x
from task as a
join task as b on b.id = a.k
group by rollup (a.k);
-- x: NULL

select k as a, k as b, k + 1 as c from task group by a, rollup (b);
-- a: not null, it is in every set, but which of the two is meant where is beyond the check
-- b: NULL
-- c: not null, as a

select k as a, k as b from task group by rollup (a), b;
-- a: NULL
-- b: not null, it is in every set, but which of the two is meant where is beyond the check

select k as a, k as b from task group by a, rollup (b) having k is not null;
-- a: not null, HAVING says so of the first
-- b: NULL

select coalesce(n, 0) as a, coalesce(n, 0) as b
from task group by a, rollup (b) having coalesce(n, 0) >= 0;
-- a: not null, HAVING says so of the first
-- b: NULL

-- # Windows

select
    sum(k) over () as a,
    sum(n) over () as b,
    count(n) over () as c,
    sum(k) over (order by id rows between 1 preceding and current row) as d,
    sum(k) over (order by id rows between 2 preceding and 1 preceding) as e,
    max(k) over (
        order by id rows between unbounded preceding and unbounded following exclude current row
    ) as f
from task where id = 1;
-- a: not null, the frame holds the row itself
-- b: NULL
-- c: not null, a count
-- d: not null, the frame holds the row itself
-- e: NULL
-- f: NULL

select
    row_number() over () as a,
    rank() over (order by n) as b,
    ntile(2) over () as c,
    lag(k) over (order by id) as d,
    lag(k, 1, 0) over (order by id) as e,
    lag(n, 1, 0) over (order by id) as f,
    first_value(k) over (order by id) as g,
    last_value(n) over (order by id) as h,
    nth_value(k, 9) over () as i
from task;
-- a: not null, a number
-- b: not null, a number
-- c: not null, a number
-- d: NULL
-- e: not null, it has a default
-- f: NULL
-- g: not null, the frame holds the row itself
-- h: NULL
-- i: NULL

select
    sum(k) over (order by k range between 10 following and 20 following) as a,
    sum(k) over (order by k groups between current row and 1 following exclude group) as b,
    first_value(k) over (
        order by k rows between current row and unbounded following exclude ties
    ) as c,
    sum(k) filter (where k > 100) over () as d,
    count(*) over (order by k rows between 3 following and 4 following) as e,
    sum(k) over (order by k range between 1 preceding and 1 following) as f
from task;
-- a: NULL
-- b: NULL
-- c: not null, the row is not its own tie
-- d: NULL
-- e: not null, a count
-- f: not null, the frame holds the row itself, but the check doesn't judge distances

select case when n is not null then lag(n, 1, 0) over (order by id) else 0 end as x from task;
-- x: NULL

select lag(n, 1, 0) over (order by id) as x from task where n is not null;
-- x: not null, WHERE is true of all rows

select max(max(k)) over () as a, sum(sum(n)) over (order by title) as b from task group by title, n;
-- a: not null, a group has a row, a frame its own
-- b: NULL

-- # Statements that write

insert into plain (id, n, k) values (7, null, 1) returning id, n, k, twice, s;
-- id: not null, primary key
-- n: NULL
-- k: not null, by its constraint
-- twice: NULL
-- s: not null, its default, and there is no trigger

insert into guarded values (7, 5, 1) returning n, k;
-- n: NULL
-- k: not null, which is checked after the trigger

insert into plain (id, n, k) values (1, 5, 1) on conflict (id) do update set n = null
returning n, k;
-- n: NULL
-- k: not null, by its constraint

insert into plain (id, k, n) select id + 10, k, n from task returning n, k, id;
-- n: NULL
-- k: not null, by its constraint
-- id: not null, primary key

update task set n = null where n is not null returning n, id;
-- n: NULL
-- id: not null, primary key

update plain set k = k + 1 where n is not null returning n, k;
-- n: not null, WHERE says so, and it is neither set nor changed by a trigger
-- k: not null, by its constraint

update plain set n = null where twice is not null returning twice;
-- twice: NULL

update plain set n = coalesce(n, 0) returning n;
-- n: not null, it is set to a value, and there is no trigger

update guarded set k = 2 where n is not null returning n, k;
-- n: NULL
-- k: not null, which is checked after the trigger

update plain set (n, s) = (select 1, 'a' where false) returning n, s;
-- n: NULL
-- s: NULL

update task as t set n = 1
from note as b left join link as l on b.id + 10 = l.id
where b.task_id = t.id and b.author is null
returning t.n, b.author, b.body, l.id;
-- n: not null, it is set to a value, and there is no trigger
-- author: NULL
-- body: not null, by its constraint
-- id: NULL

delete from link where w > 0 returning id, w, task_id is null as loose;
-- id: not null, primary key
-- w: not null, WHERE compares it, and the row is shown as it was
-- loose: not null, true or false

insert into log values (9, 1, null), (10, 7, 3) returning id, k, n;
-- id: not null, in all partitions
-- k: not null, in all partitions
-- n: NULL

with i as (insert into plain (id, k) values (50, 1) returning id, n)
select i.id, t.id as other from i left join task as t on i.n = t.id;
-- id: not null, primary key
-- other: NULL

-- on 17 to 18
merge into plain using task on task.id = plain.id
when matched then update set n = null
when not matched then insert (id, k) values (task.id, task.k)
returning merge_action() as did, plain.id, plain.n;
-- did: not null, something was done
-- id: not null, primary key
-- n: NULL

-- on 17 to 18
merge into plain using (select * from note where id = 1) as note on note.id = plain.id
when not matched by source then delete
when matched then do nothing
returning plain.id, note.id as source;
-- id: not null, primary key
-- source: NULL

-- on 18
update plain set n = 5 returning old.n, new.n as now, old.k, new.k as k_now;
-- n: NULL
-- now: not null, it is set to a value, and there is no trigger
-- k: not null, as stored before
-- k_now: not null, by its constraint

-- on 18
insert into plain (id, k) values (60, 1) returning old.id, new.id as now, coalesce(old.k, 0) as c;
-- id: NULL
-- now: not null, primary key
-- c: not null, 0 is there

-- on 18
delete from plain returning old.k, new.k as now, old.n;
-- k: not null, as stored before
-- now: NULL
-- n: NULL

-- on 18
update plain set n = null where n is not null returning new.n as now, n;
-- now: NULL
-- n: NULL

-- # NOT NULL that does not hold for all rows

-- on 15 to 17
-- first: alter table only derived alter column k drop not null
-- first: insert into derived values (3, null)
select k from base;
-- k: NULL

-- on 18
-- first: create table above (k integer not null no inherit)
-- first: create table below () inherits (above)
-- first: insert into below values (null)
select k from above;
-- k: NULL

select k, id from only base;
-- k: not null, in the table alone
-- id: not null, in the table alone

-- on 18
-- first: alter table plain add constraint plain_n not null n not valid
select n, k from plain;
-- n: NULL
-- k: not null, by its constraint

-- on 18
-- first: update plain set n = 1
-- first: alter table plain add constraint plain_n not null n not valid
-- first: alter table plain validate constraint plain_n
select n from plain;
-- n: not null, and all rows were checked

-- first: update plain set n = 1
-- first: alter table plain add constraint filled check (n is not null)
select n from plain;
-- n: not null, by a CHECK constraint, but that is beyond the check

-- # What users reported to other tools

-- ts-safeql/safeql#499: a left join inside a CTE
with s as (select n.body, t.id from task as t left join note as n on false)
select s.body, s.id from s;
-- body: NULL
-- id: not null, the left side stays

-- ts-safeql/safeql#418: a lateral subquery that finds no row
with v (id) as (values (1)), e (v_id, is_new) as (values (2, true))
select v.id, last.is_new
from v left join lateral (select e.is_new from e where e.v_id = v.id) as last on true;
-- id: not null, a constant
-- is_new: NULL

-- ts-safeql/safeql#498: CASE with ELSE NULL, and without ELSE
select
    case when r.value > 1 then r.value = 2 else null end as a,
    case when r.value > 1 then r.value = 2 end as b,
    case when r.value > 1 then r.value = 2 else false end as c
from (values (1), (2)) as r (value);
-- a: NULL
-- b: NULL
-- c: not null, both results are

-- ts-safeql/safeql#171: two outer joins in a row
select f.id, n.id as note, l.id as link
from task as f
left join note as n on f.id = n.task_id
left join link as l on n.task_id = l.task_id and l.w > 100;
-- id: not null, the left side stays
-- note: NULL
-- link: NULL

-- ts-safeql/safeql#167: an aggregate of nullable values
select max(n) as a, max(k) as b, count(n) as c from task where id = 1 group by k;
-- a: NULL
-- b: not null, of a row at least
-- c: not null, a count

-- ts-safeql/safeql#199: times that are not null, compared
select made < now() as a, made + interval '1 day' < now() as b, due < now() as c from task;
-- a: not null, two times are compared
-- b: not null, two times are compared
-- c: NULL

-- ts-safeql/safeql#273: an alias before IS NOT NULL
select x.n, x.n as other from task as x where x.n is not null;
-- n: not null, WHERE says so
-- other: not null, WHERE says so

-- ts-safeql/safeql#190: what json_agg gives of a row without a match is no NULL
select t.id, jsonb_agg(n.body) as bodies, jsonb_agg(n.body) -> 0 as first, array_agg(n.id) as ids
from task as t left join note as n on t.id = n.task_id group by t.id;
-- id: not null, primary key
-- bodies: not null, of a row at least
-- first: not null, but -> may find nothing, so this is beyond the check
-- ids: not null, of a row at least

-- ts-safeql/safeql#427: an array_agg behind a left join
with s as (select task_id, array_agg(id) as ids from note group by task_id)
select t.id, s.ids from task as t left join s on s.task_id = t.id;
-- id: not null, primary key
-- ids: NULL

-- ts-safeql/safeql#463: subqueries in the place of a value, of one row at least or not
select
    (select 1) as a,
    (select 1 where false) as b,
    (select 1 from nothing) as c,
    (select count(*) from nothing) as d,
    (select max(v) from nothing) as e;
-- a: not null, a constant
-- b: NULL
-- c: NULL
-- d: not null, a count
-- e: NULL

-- sqlc-dev/sqlc#3667: a subquery on the nullable side, grouped
select ad.title, ad.id
from note as n
left join (select title, id from task where due is null) as ad on ad.id = n.task_id
group by ad.title, ad.id;
-- title: NULL
-- id: NULL

-- sqlc-dev/sqlc#2806: a column of an enum in a subquery on the nullable side
select n.id, s.mood
from note as n left join (select id, mood from task where mood = 'cross') as s on s.id = n.task_id;
-- id: not null, primary key
-- mood: NULL

-- sqlc-dev/sqlc#1334: a view with DISTINCT ON on the nullable side
-- first: create view latest as select t.id, t.title, x.body, x.task_id from task as t left join (select distinct on (task_id) task_id, body from note order by task_id, id desc) as x on x.task_id = t.id
select id, title, body, task_id from latest;
-- id: not null, the left side stays
-- title: not null, the left side stays
-- body: NULL
-- task_id: NULL

-- sqlc-dev/sqlc#1758: a subquery by key in the place of a value
select (select title from task where id = 99) as a, (select t.title) as b from task as t;
-- a: NULL
-- b: not null, a value of the row around

-- transact-rs/sqlx#2796: left joins one behind the other; the first table stays
select foo.id, foo.title, bar.id as bar_id, bar.body, baz.id as baz_id, baz.title as baz_title
from task as foo
left join note as bar on bar.task_id = foo.id
left join task as baz on baz.id = bar.task_id and baz.k > 1;
-- id: not null, the first table stays
-- title: not null, the first table stays
-- bar_id: NULL
-- body: NULL
-- baz_id: NULL
-- baz_title: NULL

-- transact-rs/sqlx#2127: a star beside a column of the nullable side
select t.*, n.body from (select id, k from task) as t left join note as n on n.task_id = t.id;
-- id: not null, primary key
-- k: not null, by its constraint
-- body: NULL

-- transact-rs/sqlx#367: a left join on an expression
select o.id, c.id as first, d.id as second
from task as o left join note as c on c.id = o.marks[1] left join note as d on d.id = o.marks[9];
-- id: not null, the left side stays
-- first: NULL
-- second: NULL

-- transact-rs/sqlx#3202: an inner and a left join, which the planner turns round
select s.id, r.id as receiver
from link as l
join task as s on s.id = l.task_id
left join task as r on lower(r.title) = lower(s.title) and r.id <> s.id and r.k = 99;
-- id: not null, both sides of an inner join are there
-- receiver: NULL

-- on 18
-- transact-rs/sqlx#4332: the old row of an INSERT
insert into plain (id, k) values (1, 9), (7, 7) on conflict (id) do update set k = excluded.k
returning old.id, new.id as other, id as same;
-- id: NULL
-- other: not null, there is a new row, but this is beyond the check
-- same: not null, primary key

-- adelsz/pgtyped#431: UNION keeps what both have
select id, n from task union select id, v from nothing;
-- id: not null, in both
-- n: NULL

-- adelsz/pgtyped#201: a right join, and a full one
select t.id, n.body, n.id as note from note as n right outer join task as t on n.task_id = t.id;
-- id: not null, the right side stays
-- body: NULL
-- note: NULL

-- Goldziher/scythe#77: a recursive CTE whose later rows hold NULL
with recursive r (id, parent, title, depth) as (
    select id, id, title, 0 from task where parent_id is null
    union all
    select t.id, t.parent_id, n.body, r.depth + 1
    from r join task as t on t.parent_id = r.id left join note as n on n.id = t.id and n.id = 1
)
select id, parent, title, depth from r;
-- id: not null, primary key in both
-- parent: not null, an equality was true of it
-- title: NULL
-- depth: not null, a number and one more

-- Goldziher/scythe#76: a subquery of a NOT NULL column, and EXISTS
select
    (select body from note where task_id = t.id limit 1) as body,
    exists(select 1 from note where task_id = t.id) as has_note
from task as t;
-- body: NULL
-- has_note: not null, true or false

-- simolus3/drift#3812: COALESCE in a view over a full join
-- first: create view both_sides as select coalesce(t.id, l.id) as id, coalesce(t.id, l.task_id) as other, coalesce(l.w, t.rate) as w from task as t full join link as l on t.id = l.task_id
select id, other, w from both_sides;
-- id: not null, one side is there, with its key
-- other: NULL
-- w: NULL

-- giacomocavalieri/squirrel#41: the nullable side, not the other
select t.id, n.body from task as t left join note as n on n.task_id = t.id;
-- id: not null, the left side stays
-- body: NULL
