"""What operators and developers do: examine, seed, prune and draw a task database."""
