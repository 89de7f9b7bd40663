"""One-shot search: one supernet trial, then the architectures derived from it."""
