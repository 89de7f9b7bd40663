"""Tabular benchmarks of architecture search: NAS-Bench-201 and NAS-Bench-Macro."""
