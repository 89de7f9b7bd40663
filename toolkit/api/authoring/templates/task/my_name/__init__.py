"""The task my_name."""
