-- For the rollback that runs before a migration without a transaction: most objects that it drops
-- do not exist, and that is not worth a line each.
set client_min_messages = warning;
