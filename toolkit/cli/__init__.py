"""The `toolkit` command. Its modules import what is heavy inside of the commands."""
