"""NNI's dispatcher, which NNI's manager starts: `python -m toolkit_nni.manager.dispatcher`.

It is `python -m nni`, imported in half the time; `preload.js` has the manager start it.
"""

from __future__ import annotations

from toolkit_nni.manager.light import leave_out


def main() -> None:
    """Runs the tuner that the command line names."""
    leave_out()
    from nni.__main__ import main as run

    run()


if __name__ == "__main__":
    main()
