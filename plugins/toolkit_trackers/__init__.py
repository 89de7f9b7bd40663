"""Trackers of experiments that hear of a run: TensorBoard and MLflow."""
