"""SPD manifold cell space: layers, operations, networks, supernet and the plugin class."""
