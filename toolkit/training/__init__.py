"""How one learner is trained and judged: the loop, its batches, and what a model costs."""
