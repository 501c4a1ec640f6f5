-- For the rollback that runs before a migration without a transaction: what it drops is mostly not
-- there, and that is not worth a line each.
set client_min_messages = warning;
