"""Classifiers at a network's end: one class in a file, scores of classes from a map of matrices."""
