"""Checks that make raw SQL safe: each is callable by itself."""
