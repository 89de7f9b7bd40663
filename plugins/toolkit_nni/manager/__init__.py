"""NNI's own experiment manager as an executor: its scheduler, database and web page, our trials.

Four kinds of process take part. The *engine* decides which trial runs next and keeps the ledger.
The *guard* (`guard.py`) starts NNI's manager, watches it, and ends it and all below it when the
engine ends, however that happens. The *tuner* (`tuner.py`) runs inside NNI's dispatcher and hands
each trial the engine asks for to NNI's scheduler. A *trial* (`trial.py`) is what the scheduler
starts: it asks NNI's database which parameters it was entered with, and runs exactly those.
Tuner and trials speak with the engine over a Unix socket, the guard over pipes (`messages.py`).
"""
