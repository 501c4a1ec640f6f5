-- Customers, known by their mail address in any case.

-- name: upsert
-- Add a customer, or rename the one who has this mail address.
insert into customers (mail, name) values (:mail, :name)
on conflict (mail) do update set name = excluded.name
returning id;

-- name: by_mail
-- Return the customer of a mail address, or None.
select id, mail, name, joined_at from customers
where mail = :mail;

-- name: list_page
-- Return customers in the order in which they joined, after the last one of the page before.
select id, mail, name, joined_at from customers
where true
    and (joined_at, id) > (:after_joined_at, :after_id)  -- if :after_joined_at :after_id
order by joined_at, id
limit :page_size;
