"""What any room may build on: errors, clock, files written whole, plain JSON, numbers as read."""
