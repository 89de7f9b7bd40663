"""A page on this machine that follows runs from their ledgers, while they are at work and after.

Nothing here loads a plugin: a run folder may come from anywhere. What is served, and to whom, is in
`server`; what is read of a run in `runs` and `changes`; what the buttons do in `control`.
"""
