"""Rows of operators' and developers' queries: one module an area, as in `sql/queries/admin`."""
