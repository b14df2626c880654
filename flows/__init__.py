"""Flows that tell a story each: run as files (``python flows/daily.py``), and installed as ``prefect_together.flows``."""
