"""A day in the shop, on the database SHOP_URL, in which schema.sql was run."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg
from psycopg import Connection
from psycopg.types.range import Range
from shop import campaigns, customers, orders, products
from shop.orders import OrderStatus
from shop.products import ProductLabel, ProductStatus

from taskdb.query.errors import IntegrityError

NOW = datetime.now(UTC)
WEEK = Range(NOW, NOW + timedelta(days=7))


def stock_up(conn: Connection) -> dict[str, int]:
    """Return the ids of the products by sku."""
    keys = products.upsert_many(
        conn,
        skus=["A-1", "P-1", "T-1"],
        names=["Apples", "Pears", "Tea"],
        categories=["food.fruit.apples", "food.fruit.pears", "food.tea"],
        prices=[Decimal("2.50"), Decimal("3.00"), Decimal("8.00")],
    )
    ids = {each.sku: each.id for each in keys}
    restocked = products.restock(conn, ids=[ids["A-1"], ids["T-1"]], quantities=[40, 5])
    for id in ids.values():
        products.set_status(
            conn, id=id, status=ProductStatus.ON_SALE, labels=[ProductLabel.ORGANIC]
        )
    products.set_status(conn, id=ids["P-1"], status=ProductStatus.DRAFT)
    print("restocked:", restocked)
    return ids


def look_around(conn: Connection) -> None:
    fruit = products.search(conn, category="food.fruit", all_states=True, by="dearest")
    print("fruit:", *(each.name for each in fruit))
    found = products.search(
        conn,
        labels=[ProductLabel.ORGANIC],
        word="EA",
        at_least=Decimal(1),
        at_most=Decimal(10),
        in_stock=True,
    )
    print("organic, with 'ea':", *(each.name for each in found))
    counts = products.count_by_category(conn, category="food")
    print("food:", *(f"{each.category} {each.products}" for each in counts))


def discount(conn: Connection, apples: int) -> None:
    campaigns.plan(conn, category="food.fruit", percent_off=20, during=WEEK)
    try:
        with conn.transaction():
            campaigns.plan(conn, category="food.fruit", percent_off=50, during=WEEK)
    except IntegrityError as error:
        print("refused:", error)
    running = campaigns.list_running(conn, moment=NOW)
    price = campaigns.find_price(conn, product_id=apples, moment=NOW)
    print(f"{len(running)} campaign, apples: {price.price} instead of {price.full_price}")


def sell(conn: Connection, ids: dict[str, int]) -> None:
    people = [("ada@example.org", "Ada"), ("grace@example.org", "Grace"), ("ADA@example.org", "A.")]
    rows = [customers.upsert.row(mail=mail, name=name) for mail, name in people]
    ada, grace, again = customers.upsert.batch(conn, rows)
    known = customers.by_mail(conn, mail="Ada@Example.org")
    print("one customer:", ada == again, known is not None and known.id == ada)

    first = orders.place(
        conn, customer_id=ada, product_ids=[ids["A-1"], ids["T-1"]], quantities=[4, 1]
    )
    orders.place(conn, customer_id=grace, product_ids=[], quantities=[])
    orders.add_item(conn, order_id=first, product_id=ids["T-1"])
    orders.pay(conn, id=first)
    try:
        orders.pay(conn, id=first)
    except orders.NotOpenError:
        print("paid once")

    for order in orders.list_page(conn):
        items = ", ".join(f"{each.quantity} {each.name} at {each.price}" for each in order.items)
        print(f"{order.buyer.name}, {order.status}: {items or 'nothing'}")
    paid = orders.list_page(conn, statuses=[OrderStatus.PAID], customer_id=ada, before_id=first + 1)
    print("paid:", len(paid))


def turn_pages(conn: Connection) -> None:
    page = customers.list_page(conn, page_size=1)
    while page:
        print("page:", *(each.name for each in page))
        last = page[-1]
        page = customers.list_page(
            conn, page_size=1, after_joined_at=last.joined_at, after_id=last.id
        )


with psycopg.connect(os.environ["SHOP_URL"]) as conn:
    ids = stock_up(conn)
    look_around(conn)
    sell(conn, ids)
    discount(conn, ids["A-1"])
    turn_pages(conn)
