"""What helps authors of plugins: a package to begin with, and the answer whether it is right."""
