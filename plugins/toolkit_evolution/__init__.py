"""Evolution, local search and random search over the parameter tree."""
