"""The search space my_name."""
