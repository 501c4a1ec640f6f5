-- Campaigns: a category costs less for a time.

-- name: plan
-- Plan a campaign. Two of one category must not overlap.
insert into campaigns (category, percent_off, during)
values (:category, :percent_off, :during)
returning id;

-- name: list_running
-- Return the campaigns that run at a moment.
select id, category, percent_off, during from campaigns
where during @> :moment::timestamptz
order by id;

-- name: find_price
-- Return the price of a product at a moment, with the best campaign for its category or one above.
select
    product.price as full_price,
    best.percent_off,
    round(product.price * (100 - coalesce(best.percent_off, 0)) / 100, 2) as price
from products as product
left join lateral (
    select campaign.percent_off from campaigns as campaign
    where campaign.category @> product.category
        and campaign.during @> :moment::timestamptz
    order by campaign.percent_off desc
    limit 1
) as best on true
where product.id = :product_id;
