"""A plan as one page that stands alone: `collect` reads it, `render` puts it together."""

from taskdb.report.collect import collect
from taskdb.report.page import render

__all__ = ["collect", "render"]
