"""The executor my_name."""
