"""Pipelines for SPD matrices: preparation, representation in a vector space, and a classifier."""
