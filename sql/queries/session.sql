-- Settings of the transaction that a load runs in.

-- name: statement_timeout
-- How long a statement may take, as PostgreSQL writes it; 0 is for ever.
select current_setting('statement_timeout') as value;

-- name: set_statement_timeout
-- How long a statement may take until this transaction ends.
select set_config('statement_timeout', :value, true) as value;
