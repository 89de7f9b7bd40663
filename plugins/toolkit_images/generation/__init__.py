"""Tasks whose models generate images of a few new classes, carried over from many others."""
