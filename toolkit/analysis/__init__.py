"""Numbers out of results: Pareto fronts, significance, summaries. Nothing here reads files."""
