-- Drops the statement of probe.sql, which other clients of the pooler would meet.
deallocate taskdb_probe;
