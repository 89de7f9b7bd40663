"""What task plugins read: arrays and matrices, checked. Nothing here knows of recipes or runs."""
