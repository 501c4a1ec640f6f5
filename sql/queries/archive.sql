-- A whole workspace as a file, and back: docs/exchange.md.

-- name: list_tables
-- The tables of an export, each after those it refers to.
select
    exported.name as "name!",  -- relname
    exported.columns as "columns!"  -- an array()
from exported_tables() as exported;

-- name: list_rows
-- The rows of a table as JSON, in the order of its primary key.
select row_text.line as "line!"  -- export_rows: a row each
from export_rows(:table_name) as row_text (line);

-- name: list_sequences
-- The positions of the workspace's sequences: numbers of new tasks and specifications, ranks, and
-- whether a transition was ever forbidden.
select
    'task_graph_rank' as name,
    last_value,
    is_called
from task_graph_rank
union all
select
    'task_number',
    last_value,
    is_called
from task_number
union all
select
    'task_status_transition_removals',
    last_value,
    is_called
from task_status_transition_removals
union all
select
    'technical_spec_number',
    last_value,
    is_called
from technical_spec_number;

-- name: begin_restore
-- Refuses a workspace that is not empty, and turns the triggers of its tables off.
select begin_restore() as "table_count!";  -- a count

-- name: restore_rows
-- Inserts rows of a table.
select restore_rows(:table_name, :rows) as "row_count!";  -- a count

-- name: restore_sequence
-- Sets a sequence to its position in the file.
select setval(cast(:name as regclass), :last_value, :is_called) as last_value;

-- name: finish_restore
-- Turns the triggers on, revokes live claims, raises tokens; returns the number of claims revoked.
select finish_restore() as "revoked_count!";  -- a count
