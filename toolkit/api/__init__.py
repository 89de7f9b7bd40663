"""What `import toolkit` offers to Python programs: functions that run recipes, and `Run` to read.

The command line is a shell over this room. Modules import what is heavy inside of functions, so
that `import toolkit` stays light.
"""
