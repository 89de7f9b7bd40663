"""The strategy my_name."""
