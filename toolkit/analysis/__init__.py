"""Numbers out of results: Pareto fronts, significance, calibration. Nothing here reads files."""
