"""What makes raw SQL safe: each check is callable by itself."""
