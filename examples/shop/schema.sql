-- A small shop. psql "$SHOP_URL" -f schema.sql
-- citext and ltree are trusted extensions: the owner of a database may create them.

create extension if not exists citext;
create extension if not exists ltree;

create type product_status as enum ('draft', 'on_sale', 'retired');
create type product_label as enum ('new', 'organic', 'fragile', 'gift');
create type order_status as enum ('open', 'paid', 'sent');

create table customers (
    id bigint generated always as identity primary key,
    -- Ada@example.org and ada@example.org are one customer.
    mail citext not null,
    name text not null,
    joined_at timestamptz not null default now(),
    constraint customers_mail_is_unique unique (mail)
);

-- Serves queries/customers.sql: list_page.
create index customers_by_joining on customers (joined_at, id);

create table products (
    id bigint generated always as identity primary key,
    sku citext not null,
    name text not null,
    -- The way from the widest to the narrowest: food.fruit.apples
    category ltree not null,
    labels product_label[] not null default '{}',
    status product_status not null default 'draft',
    price numeric(10, 2) not null,
    stock integer not null default 0,
    constraint products_sku_is_unique unique (sku),
    constraint products_price_is_positive check (price > 0),
    constraint products_stock_is_not_negative check (stock >= 0)
);

-- Serves queries/products.sql: search.
create index products_by_category on products using gist (category);

create table campaigns (
    id bigint generated always as identity primary key,
    category ltree not null,
    percent_off integer not null check (percent_off between 1 and 90),
    during tstzrange not null check (not isempty(during)),
    constraint campaigns_one_at_a_time
        exclude using gist (category with =, during with &&)
);

create table orders (
    id bigint generated always as identity primary key,
    customer_id bigint not null references customers (id),
    status order_status not null default 'open',
    placed_at timestamptz not null default now()
);

-- Serves queries/orders.sql: list_page.
create index orders_by_customer on orders (customer_id, id);

create table order_items (
    order_id bigint not null references orders (id),
    product_id bigint not null references products (id),
    quantity integer not null check (quantity > 0),
    -- The price of one when it was ordered.
    price numeric(10, 2) not null,
    primary key (order_id, product_id)
);
