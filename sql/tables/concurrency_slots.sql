-- At most n tasks of one concurrency key are in progress at a time: the key has n slots, and a task
-- takes one when it goes into progress. A row is held by one task at a time whatever the snapshots
-- of two claims say, so no count can be wrong. A key that was never given a limit has one slot,
-- made when it is first used. docs/decisions/0032-concurrency-key.md
create table concurrency_slots (
    key shared.name_text not null,
    slot integer not null,
    task_id uuid,
    is_surplus boolean not null default false,
    is_unseen boolean not null default true,
    primary key (key, slot),
    constraint concurrency_slots_task_exists
        foreign key (task_id) references tasks (id) on delete set null
);

-- Keeps the promise: a task holds one slot.
create unique index concurrency_slots_one_per_task
    on concurrency_slots (task_id)
    where task_id is not null;
-- Serves functions/take_slot.sql: the free ones that were offered.
create index concurrency_slots_offered
    on concurrency_slots (key, slot)
    where task_id is null and not is_unseen;
-- Serves functions/take_slot.sql: those to be given up after the limit was lowered.
create index concurrency_slots_surplus
    on concurrency_slots (key, slot)
    where is_surplus;
-- Serves functions/offer_slots.sql: those that a claim has to offer.
create index concurrency_slots_unseen
    on concurrency_slots (key, slot)
    where task_id is null and is_unseen;

comment on table concurrency_slots is
    'The slots of concurrency keys: as many tasks of a key are in progress. Written by triggers.';
comment on column concurrency_slots.key is 'The concurrency key of tasks.';
comment on column concurrency_slots.slot is 'Its number, from 1.';
comment on column concurrency_slots.task_id is
    'The task in progress that holds it; null: it is free.';
comment on column concurrency_slots.is_surplus is
    'The limit was lowered while it was held: it goes when its task, or another of the key, ends.';
comment on column concurrency_slots.is_unseen is
    'A free one: no claim has offered it to the tasks that wait for it yet.';
