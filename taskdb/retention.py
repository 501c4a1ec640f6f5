"""`taskdb.admin.retention` by its short name: what is old goes, in batches."""

from taskdb.admin.retention import BATCH, TABLES, count_old, cutoff, prune

__all__ = ["BATCH", "TABLES", "count_old", "cutoff", "prune"]
