"""Drawings of architecture graphs."""

from toolkit.export.drawing.svg import draw

__all__ = ["draw"]
