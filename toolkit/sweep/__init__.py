"""Sweeps: the same training, or the same run, with other values, compared in a table."""

from toolkit.sweep.axes import Axis, parse_axis
from toolkit.sweep.plan import Plan, Request, make_plan
from toolkit.sweep.sweep import run_sweep
from toolkit.sweep.table import Table

__all__ = ["Axis", "Plan", "Request", "Table", "make_plan", "parse_axis", "run_sweep"]
