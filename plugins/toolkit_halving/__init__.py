"""Successive halving and Hyperband, whose promoted trainings go on from their checkpoints."""
