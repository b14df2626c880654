"""The command line: ``prefect-together``, and flows as commands. Thin: a command imports what it needs when it runs."""

from prefect_together.cli.main import main

__all__ = ["main"]
