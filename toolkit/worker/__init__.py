"""The process in which jobs run: what it is told, what it does, and what it answers."""
