"""Optuna's samplers as strategies."""
