"""NNI's tuners as strategies, in the engine's own process."""
