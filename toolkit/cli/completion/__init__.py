"""Words for the shell to complete: nothing is imported here but the standard library, for speed."""
