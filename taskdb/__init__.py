"""taskdb."""
