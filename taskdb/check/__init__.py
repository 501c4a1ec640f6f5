"""What makes raw SQL safe: each module is one check (docs/checks.md)."""
