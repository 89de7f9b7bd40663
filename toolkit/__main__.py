"""The command `toolkit`, also `python -m toolkit`: heeds Ctrl-C before it imports what is heavy."""

from toolkit.base.interruption import heed


def main() -> None:
    """Run the command line; ends the process with one of `toolkit.errors.ExitCode`."""
    heed()
    from toolkit.cli import main as run

    run()


if __name__ == "__main__":
    main()
