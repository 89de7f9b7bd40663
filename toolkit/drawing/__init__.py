"""Drawings of architecture graphs."""

from toolkit.drawing.svg import draw

__all__ = ["draw"]
