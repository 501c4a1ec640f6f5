-- Orders and their items.

-- name: place
-- Place an order and return its id. The lists are columns, as many items in each.
with placed as (
    insert into orders (customer_id) values (:customer_id)
    returning id
),
item as (
    insert into order_items (order_id, product_id, quantity, price)
    select placed.id, given.product_id, given.quantity, product.price
    from placed
    cross join unnest(:product_ids::bigint[], :quantities::integer[])
        as given (product_id, quantity)
    -- Left, so that an unknown product is refused, having no price.
    left join products as product on product.id = given.product_id
)
select placed.id from placed;

-- name: add_item
-- Add an item at the product's price, or more of the same.
insert into order_items (order_id, product_id, quantity, price)
select :order_id, product.id, :quantity, product.price
from products as product
where product.id = :product_id
on conflict (order_id, product_id) do update
set quantity = order_items.quantity + excluded.quantity
returning order_id, product_id, quantity, price;

-- name: list_page
-- Return orders with buyer and items, newest first, before the last one of the page before.
select
    ordered.id,
    ordered.status,
    ordered.placed_at,
    customer as buyer,
    array(
        select row(product.sku, product.name, item.quantity, item.price)
        from order_items as item
        inner join products as product on product.id = item.product_id
        where item.order_id = ordered.id
        order by product.sku
    ) as items
from orders as ordered
inner join customers as customer on customer.id = ordered.customer_id
where true
    and ordered.id < :before_id              -- if :before_id
    and ordered.customer_id = :customer_id   -- if :customer_id
    and ordered.status = any(:statuses)      -- if :statuses
order by ordered.id desc
limit :page_size;

-- name: pay
-- Mark an open order as paid.
update orders set status = 'paid'
where id = :id and status = 'open';
