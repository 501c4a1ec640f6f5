-- Time-ordered identifiers (RFC 9562, version 7): 48 bits of milliseconds, 12 bits
-- of their fraction, 62 random bits. New rows land at the right end of an index.
--
-- PostgreSQL 18 has a uuidv7() of its own, which an unqualified call finds first.
-- This one is made on every server all the same, so that a dump of 15 loads into 18.
create function uuidv7()
    returns uuid
    language sql
    volatile
    parallel safe
begin atomic
    select encode(
        overlay(
            uuid_send(gen_random_uuid()),
            int8send(((moment.us / 1000) << 16) | 28672 | (((moment.us % 1000) * 4096) / 1000)),
            1,
            8
        ),
        'hex'
    )::uuid
    from (select (extract(epoch from clock_timestamp()) * 1000000)::bigint) as moment (us);
end;

comment on function shared.uuidv7() is
    'A time-ordered UUID (RFC 9562, version 7) for servers that have none of their own.';
