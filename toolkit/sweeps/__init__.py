"""Sweeps: the same training, or the same run, with other values, compared in a table."""

from toolkit.sweeps.axes import Axis, parse_axis
from toolkit.sweeps.plan import Plan, Request, make_plan
from toolkit.sweeps.sweep import run_sweep
from toolkit.sweeps.table import Table

__all__ = ["Axis", "Plan", "Request", "Table", "make_plan", "parse_axis", "run_sweep"]
