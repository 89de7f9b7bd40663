"""The NullSpaceNet search space: a head in the joint null space, or a fully connected one."""
