"""Random concurrent programs, judged by their acknowledged calls: `python -m tests.soak`."""
