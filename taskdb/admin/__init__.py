"""Tools of operators and developers: examine, seed, prune and draw a task database."""
