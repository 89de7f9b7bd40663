"""The executor `slurm`: each slot is a task of one job array, which connects back to the engine."""
