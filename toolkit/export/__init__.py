"""Handing a trained model over: one file of source, its weights, drawing and card."""

from toolkit.export.card import Card
from toolkit.export.loading import load_model
from toolkit.export.model import export_model

__all__ = ["Card", "export_model", "load_model"]
