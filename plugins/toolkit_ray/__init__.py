"""The executor `ray`: each slot is an actor on a Ray cluster, with the usual worker in it."""
