"""What any room may build on: the clock, files written whole, places, plain JSON."""
