"""A plugin-based toolkit for AutoML and neural architecture search.

Plugin authors import from `toolkit.contracts`, `toolkit.space` and `toolkit.errors`, and test with
`toolkit.testing`; CONTRIBUTING.md lists all that is public.
"""

__version__ = "0.1.0"
