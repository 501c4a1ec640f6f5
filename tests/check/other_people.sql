-- Queries of other people's kind: reports, upserts, recursion, documents, arrays of all kinds.
--
-- As nullability.sql beside this. `rows: one` is a query of which one row at most is proved, and
-- `rows: many` one that gives several on these rows.

create domain tags as text[];
create domain filled_tags as text[] check (array_position(value, null) is null);
create domain score as integer check (value between 0 and 100);
create type size as enum ('s', 'm', 'l');
create type price as (amount numeric, currency text);
create table customer (
    id integer generated always as identity primary key,
    mail text not null,
    name text,
    active boolean not null default true,
    sizes size[] not null,
    prices price[] not null,
    labels tags not null,
    sure filled_tags not null,
    hours tstzmultirange not null,
    stay daterange not null,
    best score
);
create unique index customer_mail on customer (mail) where active;
create table orders (
    id bigint primary key,
    customer_id integer references customer,
    status text not null,
    placed_at timestamptz not null,
    total numeric not null,
    note text,
    net numeric generated always as (total / 2) stored,
    tax numeric generated always as (nullif(total, 0) / 5) stored,
    doc jsonb not null default '{}'
);
create table item (
    order_id bigint not null references orders on delete cascade,
    line integer not null,
    sku text not null,
    qty integer not null,
    price numeric,
    primary key (order_id, line)
);
create table category (
    id integer primary key,
    parent_id integer references category,
    name text not null unique
);
create table stock (sku text primary key, qty integer not null, reserved integer);
create view order_total as
select o.id, o.customer_id, o.total, count(i.line) as lines, sum(i.qty) as pieces, max(i.price) as dearest
from orders as o left join item as i on i.order_id = o.id group by o.id;
create view latest_order as
select distinct on (customer_id) customer_id, id, note from orders order by customer_id, placed_at desc;
insert into customer (mail, name, active, sizes, prices, labels, sure, hours, stay, best) values
('ann@x', 'Ann', true, '{s,m}', '{"(1.5,EUR)","(,)"}', '{a,null}', '{a}', '{[2020-01-01,2020-01-02),[2020-02-01,)}', '[2020-01-01,2020-01-05)', 7),
('bob@x', null, true, '{}', '{}', '{}', '{}', '{}', 'empty', null),
('bob@x', null, false, '{null}', '{null}', '{null}', '{b}', '{(,)}', '(,)', 0);
insert into orders (id, customer_id, status, placed_at, total, note, doc) values
(1, 1, 'open', '2024-01-01', 10, 'x', '{"lines": [{"sku": "a", "qty": 2}, {"sku": null}, {}], "who": {"name": "A"}}'),
(2, 1, 'paid', '2024-01-02', 0, null, '{"lines": []}'),
(3, 2, 'open', 'infinity', 5, null, 'null'),
(4, null, 'open', '-infinity', 'NaN', '', '[]');
insert into item values (1, 1, 'a', 2, 1.5), (1, 2, 'b', 1, null), (2, 1, 'a', 3, 2), (4, 1, 'c', 0, null);
insert into category values (1, null, 'root'), (2, 1, 'books'), (3, 2, 'sql'), (4, null, 'lone');
insert into stock values ('a', 5, null), ('b', 0, 1), ('z', 1, null);

-- # Queries

-- An ORM's report: quoted names, an outer join, subqueries beside it.
-- $1: 'open', never NULL
-- rows: many
select "orders"."id" as "orders_id", "orders"."note" as "orders_note", "customer_1"."id" as
"customer_1_id", "customer_1"."mail" as "customer_1_mail", (select count(*) from item where
item.order_id = orders.id) as n, (select sum(qty) from item where item.order_id = orders.id)
as s, exists (select 1 from item where item.order_id = orders.id) as e from orders left
outer join customer as customer_1 on customer_1.id = orders.customer_id where
"orders"."status" = $1 order by 1;
-- orders_id: not null, orders.id is a NOT NULL column
-- orders_note: NULL
-- customer_1_id: NULL
-- customer_1_mail: NULL
-- n: not null, count counts, so it is never NULL
-- s: NULL
-- e: not null, EXISTS is true or false

-- A report by month: filters, ordered sets, distinct aggregates.
-- rows: many
select date_trunc('month', placed_at) as month, count(*) as n, sum(total) as s, avg(total)
filter (where status = 'paid') as paid, percentile_cont(0.5) within group (order by
total::float8) as median, stddev(total) as dev, count(distinct customer_id) as customers,
array_agg(distinct status order by status) as statuses, string_agg(note, ',') as notes,
bool_or(note is null) as some, mode() within group (order by note) as common from orders
group by 1;
-- month: not null, date_trunc gives no NULL
-- n: not null, count counts, so it is never NULL
-- s: not null, sum is not NULL when there is a row, and no NULL in any
-- paid: NULL
-- median: not null, percentile_cont is not NULL when there is a row, and no NULL in any
-- dev: NULL
-- customers: not null, count counts, so it is never NULL
-- statuses: not null, array_agg is not NULL when there is a row
-- notes: NULL
-- some: not null, bool_or is not NULL when there is a row, and no NULL in any
-- common: NULL

-- An upsert by a partial index.
-- rows: one
insert into customer (mail, name, sizes, prices, labels, sure, hours, stay) values ('new@x',
null, '{}', '{}', '{}', '{}', '{}', 'empty') on conflict (mail) where active do nothing
returning id, name, active;
-- id: not null, customer.id is a NOT NULL column
-- name: NULL
-- active: not null, customer.active is a NOT NULL column

-- The latest row of each, by lateral.
-- rows: many
select c.id, last.id as last_id, last.note, last.total, coalesce(last.total, 0) as t, agg.n,
agg.s from customer as c left join lateral (select o.id, o.note, o.total from orders as o
where o.customer_id = c.id order by o.placed_at desc limit 1) as last on true cross join
lateral (select count(*) as n, sum(total) as s from orders as o where o.customer_id = c.id)
as agg;
-- id: not null, c.id is a NOT NULL column
-- last_id: NULL
-- note: NULL
-- total: NULL
-- t: not null, numeric gives no NULL
-- n: not null, count counts, so it is never NULL
-- s: NULL

-- A recursive CTE with search and cycle.
-- rows: many
with recursive tree as (select id, parent_id, name from category where parent_id is null
union all select c.id, c.parent_id, c.name from category as c join tree as t on c.parent_id
= t.id) search depth first by id set ord cycle id set looped using trail select id,
parent_id, name, ord, looped, trail from tree;
-- id: not null, c.id is a NOT NULL column
-- parent_id: NULL
-- name: not null, c.name is a NOT NULL column
-- ord: not null, no earlier row of tree holds NULL
-- looped: not null, it is a constant
-- trail: not null, no earlier row of tree holds NULL

-- Marks of a cycle of one's own.
-- rows: many
with recursive tree as (select id, parent_id from category union all select c.id,
c.parent_id from category as c join tree as t on c.parent_id = t.id) cycle id set looped to
'yes' default 'no' using trail select id, parent_id, looped, trail from tree;
-- id: not null, c.id is a NOT NULL column
-- parent_id: NULL
-- looped: not null, it is a constant
-- trail: not null, no earlier row of tree holds NULL

-- A breadth-first search.
-- rows: many
with recursive tree as (select id, parent_id from category union select c.id, c.parent_id
from category as c join tree as t on c.parent_id = t.id) search breadth first by parent_id,
id set ord select id, parent_id, ord from tree;
-- id: not null, c.id is a NOT NULL column
-- parent_id: NULL
-- ord: not null, it is constructed

-- Grouping sets, and HAVING.
-- rows: many
select status, customer_id, sum(total) as s from orders where customer_id is not null group
by cube (status, customer_id) having sum(total) is not null;
-- status: NULL
-- customer_id: NULL
-- s: not null, the conditions of the query exclude NULL

-- DELETE beside an outer join.
-- rows: many
delete from item as i using orders as o left join customer as c on c.id = o.customer_id
where i.order_id = o.id returning i.sku, i.price, o.id, o.customer_id, c.id as cid, c.mail;
-- sku: not null, i.sku is a NOT NULL column
-- price: NULL
-- id: not null, the conditions of the query exclude NULL
-- customer_id: NULL
-- cid: NULL
-- mail: NULL

-- UPDATE from another table.
-- rows: many
update item as i set price = s.qty from stock as s where s.sku = i.sku returning i.order_id,
i.price, s.reserved;
-- order_id: not null, i.order_id is a NOT NULL column
-- price: not null, numeric gives no NULL
-- reserved: NULL

-- UPDATE of several columns by a subquery.
-- rows: many
update item set (price, qty) = (select s.reserved, s.qty from stock as s where s.sku =
item.sku) where sku in ('a', 'b') returning price, qty;
-- price: NULL
-- qty: not null, item.qty is a NOT NULL column

-- Multiranges, taken apart.
-- rows: many
select c.id, h as hour from customer as c left join lateral unnest(c.hours) as h on true;
-- id: not null, c.id is a NOT NULL column
-- hour: NULL

-- Aggregates of ranges, of no rows.
-- rows: one
select range_agg(stay) as a, range_intersect_agg(stay) as i, range_agg(hours) as ha from
customer where false;
-- a: NULL
-- i: NULL
-- ha: NULL

-- Domains over arrays, taken apart.
-- rows: many
select c.id, l, s from customer as c left join lateral unnest(c.labels) as l on true left
join lateral unnest(c.sure) as s on true;
-- id: not null, c.id is a NOT NULL column
-- l: NULL
-- s: NULL

-- Arrays of an enum.
-- rows: many
select c.id, s from customer as c, unnest(c.sizes) as s;
-- id: not null, c.id is a NOT NULL column
-- s: NULL

-- Arrays of a composite, by subscript.
-- rows: many
select id, (prices[1]).amount as a, (prices[1]).currency as c, prices[1] as p, prices[1] is
null as n, (prices[1]) is not null as nn from customer;
-- id: not null, customer.id is a NOT NULL column
-- a: NULL
-- c: NULL
-- p: NULL
-- n: not null, a test for NULL or truth is true or false
-- nn: not null, a test for NULL or truth is true or false

-- Arrays of a composite, taken apart.
-- rows: many
select c.id, p.amount, p.currency, p.ord from customer as c cross join lateral
unnest(c.prices) with ordinality as p (amount, currency, ord);
-- id: not null, c.id is a NOT NULL column
-- amount: NULL
-- currency: NULL
-- ord: not null, p.ord counts the rows

-- DISTINCT ON beside an outer join.
-- rows: many
select distinct on (o.customer_id) o.customer_id, o.id, o.note, i.sku from orders as o left
join item as i on i.order_id = o.id order by o.customer_id, o.placed_at desc;
-- customer_id: NULL
-- id: not null, o.id is a NOT NULL column
-- note: NULL
-- sku: NULL

-- Statements that write, one after the other.
with moved as (delete from item where qty = 0 returning order_id, line, sku, price), kept as
(insert into stock (sku, qty) select sku, line from moved returning sku, qty, reserved)
select m.order_id, m.price, k.sku, k.qty, k.reserved from moved as m left join kept as k on
k.sku = m.sku and k.qty > 100;
-- order_id: not null, item.order_id is a NOT NULL column
-- price: NULL
-- sku: NULL
-- qty: NULL
-- reserved: NULL

-- USING: a full join.
-- rows: many
select sku, i.qty, s.reserved, s.qty as sq from item as i full join stock as s using (sku);
-- sku: not null, a row of a full join has one side or the other
-- qty: NULL
-- reserved: NULL
-- sq: NULL

-- USING: a right join, whose right side has the column.
-- rows: many
select sku, i.qty, s.reserved from item as i right join stock as s using (sku);
-- sku: not null, s.sku is a NOT NULL column
-- qty: NULL
-- reserved: NULL

-- NATURAL joins.
-- rows: many
select id, customer_id, note from orders natural left join (select customer_id, 1 as one
from latest_order where note is not null) as l;
-- id: not null, orders.id is a NOT NULL column
-- customer_id: NULL
-- note: NULL

-- A view with DISTINCT ON, by what it is distinct on.
-- $1: 1, never NULL
-- rows: one
select l.id, l.note, l.customer_id from latest_order as l where l.customer_id = $1;
-- id: not null, orders.id is a NOT NULL column
-- note: NULL
-- customer_id: not null, the conditions of the query exclude NULL

-- A view with UNION, by its column.
-- $1: 1, never NULL
select x.id from (select id from orders union select order_id from item) as x where x.id =
$1;
-- id: not null, the conditions of the query exclude NULL

-- A subquery by a column that is no key.
-- $1: 'a', never NULL
-- rows: many
select x.sku from (select sku from item) as x where x.sku = $1;
-- sku: not null, the conditions of the query exclude NULL

-- One group.
-- $1: 'a', never NULL
-- rows: one
select sku, sum(qty) as q from item where sku = $1 group by sku;
-- sku: not null, the conditions of the query exclude NULL
-- q: not null, sum is not NULL when there is a row, and no NULL in any

-- Groups, and a condition of them.
select sum(qty) as s from item group by order_id having count(price) = count(*);
-- s: not null, sum is not NULL when there is a row, and no NULL in any

-- VALUES on the nullable side.
-- rows: many
select o.id, x.v from orders as o left join (values (1, 'a'), (2, null)) as x (id, v) on
x.id = o.id;
-- id: not null, o.id is a NOT NULL column
-- v: NULL

-- Joins in brackets.
-- rows: many
select a.id, b.id as bid, c.id as cid from orders as a left join (orders as b join orders as
c on c.id = b.id) on b.id = a.id + 1;
-- id: not null, a.id is a NOT NULL column
-- bid: NULL
-- cid: NULL

-- An inner join after an outer one.
-- rows: many
select a.id, b.id as bid, c.id as cid from orders as a left join orders as b on b.id = a.id
+ 1 join orders as c on c.id = b.id;
-- id: not null, the conditions of the query exclude NULL
-- bid: not null, the conditions of the query exclude NULL
-- cid: not null, the conditions of the query exclude NULL

-- WHERE on the nullable side, negated.
-- rows: many
select a.id, b.id as bid from orders as a left join orders as b on b.id = a.id + 1 where not
(b.id is null);
-- id: not null, the conditions of the query exclude NULL
-- bid: not null, the conditions of the query exclude NULL

-- WHERE on the nullable side, IS NOT FALSE.
-- rows: many
select a.id, b.id as bid from orders as a left join orders as b on b.id = a.id + 1 where
(b.id = 2) is not false;
-- id: not null, a.id is a NOT NULL column
-- bid: NULL

-- WHERE on the nullable side, by COALESCE.
-- rows: many
select a.id, b.id as bid from orders as a left join orders as b on b.id = a.id + 1 where
coalesce(b.id, 0) >= 0;
-- id: not null, a.id is a NOT NULL column
-- bid: NULL

-- WHERE on the nullable side, IS DISTINCT FROM.
-- rows: many
select a.id, b.id as bid from orders as a left join orders as b on b.id = a.id + 1 where
b.id is distinct from 2;
-- id: not null, a.id is a NOT NULL column
-- bid: NULL

-- COALESCE of what may be NULL.
-- rows: many
select coalesce(note, status) as a, coalesce(note, nullif(status, 'open')) as b,
coalesce(null, note, tax::text) as c from orders;
-- a: not null, orders.status is a NOT NULL column
-- b: NULL
-- c: NULL

-- A whole row.
-- rows: many
select o from orders as o left join item as i on i.order_id = o.id and i.line = 9;
-- o: not null, o.* is a whole row

-- A whole row of the nullable side.
-- rows: many
select i from orders as o left join item as i on i.order_id = o.id and i.line = 9;
-- i: NULL

-- A field of a whole row of the nullable side.
-- rows: many
select (i).sku, i.*::item is null as n from orders as o left join item as i on i.order_id =
o.id and i.line = 9;
-- sku: NULL
-- n: not null, a test for NULL or truth is true or false

-- Rows in rows, of the nullable side.
-- rows: many
select array_agg(i) as agg, jsonb_agg(i.*) filter (where i.line is not null) as j,
coalesce(jsonb_agg(i.*) filter (where i.line is not null), '[]') as cj from orders as o left
join item as i on i.order_id = o.id group by o.id;
-- agg: not null, array_agg is not NULL when there is a row
-- j: NULL
-- cj: not null, it is a constant

-- CTEs that read one another.
-- rows: many
with open_orders as materialized (select id, note, customer_id from orders where status =
'open'), best as (select customer_id, max(id) as id from open_orders group by customer_id)
select b.customer_id, o.note, b.id, c.mail from best as b join open_orders as o using (id)
left join customer as c on c.id = b.customer_id;
-- customer_id: NULL
-- note: NULL
-- id: not null, the conditions of the query exclude NULL
-- mail: NULL

-- TABLESAMPLE, and locks.
-- rows: many
select o.id, i.sku from orders as o tablesample bernoulli (100) left join item as i on
i.order_id = o.id for update of o skip locked;
-- id: not null, o.id is a NOT NULL column
-- sku: NULL

-- Three-valued logic.
-- rows: many
select s.sku, s.reserved is null as free, (s.reserved is null) and s.qty > 0 as ok,
s.reserved > 0 as r, not s.reserved > 0 as nr from stock as s where s.reserved is null or
s.reserved > 0;
-- sku: not null, s.sku is a NOT NULL column
-- free: not null, a test for NULL or truth is true or false
-- ok: not null, it is true or false
-- r: NULL
-- nr: NULL

-- A calendar beside an outer join.
-- rows: many
select g::date as day, count(o.id) as n, sum(o.total) as s, max(o.note) as m from
generate_series(date '2024-01-01', date '2024-01-03', interval '1 day') as g left join
orders as o on o.placed_at::date = g::date group by 1;
-- day: not null, date gives no NULL
-- n: not null, count counts, so it is never NULL
-- s: NULL
-- m: NULL

-- The catalogue.
-- rows: many
select a.attname, t.typname, d.adbin is not null as has, pg_get_expr(d.adbin, d.adrelid) as
def, i.indexrelid from pg_attribute as a join pg_type as t on t.oid = a.atttypid left join
pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum left join pg_index as i on
i.indrelid = a.attrelid and a.attnum = any (i.indkey) where a.attrelid = 'orders'::regclass
and a.attnum > 0;
-- attname: not null, a.attname is a NOT NULL column
-- typname: not null, t.typname is a NOT NULL column
-- has: not null, a test for NULL or truth is true or false
-- def: NULL
-- indexrelid: NULL

-- Arguments by name.
-- rows: many
select make_interval(days => 1) as a, make_interval(days => reserved) as b, make_date(year =>
2020, month => 1, day => 1) as c, now() - make_interval(hours => qty) as d from stock;
-- a: not null, make_interval gives no NULL
-- b: NULL
-- c: not null, make_date gives no NULL
-- d: not null, - gives no NULL

-- Slices of arrays, and elements.
-- rows: many
select s.a[5:9] as a, s.a[:2] as b, s.a[reserved:2] as c, s.a[9] as d, (array_agg(s.qty) over
())[1:2] as e, (null::int[])[1:2] as f, (s.a[1:2])[3] as g, s.grid[1:1][7:8] as h from (select
qty, reserved, array[qty, 2] as a, '{{1,2},{3,4}}'::int[] as grid from stock) as s;
-- a: not null, a slice of an array is an array
-- b: not null, a slice of an array is an array
-- c: NULL
-- d: NULL
-- e: not null, a slice of an array is an array
-- f: NULL
-- g: NULL
-- h: not null, a slice of an array is an array

-- Constructors of JSON, as the standard has them.
-- on 16 to 18
-- rows: one
select json_object('a': null::int) as a, json_array(1, null) as b, json_object('a': null
absent on null returning jsonb) as c, json_array() as d, json_array(select id from orders
where false) as e, json_objectagg('a': note) as f, json_arrayagg(note) as g from orders where
false;
-- a: not null, it is constructed
-- b: not null, it is constructed
-- c: not null, it is constructed
-- d: not null, it is constructed
-- e: NULL
-- f: NULL
-- g: NULL
