-- Settings of the transaction that a load runs in.

-- name: statement_timeout
-- The statement timeout, as PostgreSQL writes it; 0 is none.
select current_setting('statement_timeout') as value;

-- name: set_statement_timeout
-- Sets the statement timeout of this transaction.
select set_config('statement_timeout', :value, true) as value;
