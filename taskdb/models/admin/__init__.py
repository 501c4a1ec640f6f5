"""What operators' and developers' queries return: one module an area, as in `sql/queries/admin`."""
