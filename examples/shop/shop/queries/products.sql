-- Products and their categories, such as food.fruit.apples.

-- name: upsert_many
-- Add products, and set name, category and price of those whose sku is known.
-- The lists are columns: as many items in each, and no sku twice.
insert into products (sku, name, category, price)
select given.sku, given.name, given.category, given.price
from unnest(:skus::citext[], :names::text[], :categories::ltree[], :prices::numeric[])
    as given (sku, name, category, price)
on conflict (sku) do update
set name = excluded.name, category = excluded.category, price = excluded.price
returning id, sku;

-- name: restock
-- Add to the stock of many products. Returns how many there were of them.
update products
set stock = products.stock + given.quantity
from unnest(:ids::bigint[], :quantities::integer[]) as given (id, quantity)
where products.id = given.id;

-- name: set_status
-- Set the status, and the labels if they are given.
update products
set
    labels = :labels,  -- if :labels
    status = :status
where id = :id;

-- name: search
-- Return products on sale, or all, by what is given.
-- A category includes those below it; a product must have all of the labels.
select id, sku, name, category, labels, status, price, stock from products
where true
    and category <@ :category             -- if :category
    and labels @> :labels                 -- if :labels
    and name ilike '%' || :word || '%'    -- if :word
    -- if :at_least :at_most
    and price >= :at_least
    and price <= :at_most
    -- end if
    and stock > 0                         -- if :in_stock
    and status = 'on_sale'                -- if not :all_states
order by
    name,                                 -- if :by = name
    price,                                -- if :by = cheapest
    price desc,                           -- if :by = dearest
    stock desc,                           -- if :by = stock
    id
limit :most;

-- name: count_by_category
-- Count the products below a category, by the categories next below it.
select
    subpath(category, 0, nlevel(:category::ltree) + 1) as "category!",  -- both arguments are there
    count(*) as products
from products
where category <@ :category
    and nlevel(category) > nlevel(:category::ltree)
group by 1
order by 1;
