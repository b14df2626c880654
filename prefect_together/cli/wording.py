"""Errors in the words of a command line: what they advise to a program, as what one can do there. Knows no command."""

from __future__ import annotations

import re

_INSTEAD = (
    (r", pass credentials=TogetherCredentials\(api_key=\.\.\.\)", ""),
    (r", or wait_for_video\(error\.job\), to go on waiting", " to go on waiting"),
    (r', or ask with reuse="never" for a new one', " from a backup"),
    (
        r'then run it again with on_unknown="resubmit" to send it again\. Ledger key: (?P<key>\S+?)\.(?= |$)',
        r"then `prefect-together reconcile --resubmit \g<key>` sends it again, and pays; --forget \g<key> settles it.",
    ),
    (r": say which one is meant, columns=\{.*?\}\.", ": rename or remove one of them in the table."),
    (r"If it is meant for both, say columns=\{.*?\}\.", "Rename it in the table."),
    (r"Name one in columns=, or give a template or a constant\.", "Give the column that is meant this name in the table."),
    (r", and encoding= says (?P<coding>'[^']*'): leave it out", r", and was read as \g<coding>: save it as UTF-8"),
)


def on_the_command_line(text: str) -> str:
    """Return the text of an error without Python's arguments: with options and commands where there are any."""
    for spoken, instead in _INSTEAD:
        text = re.sub(spoken, instead, text)
    return text
