"""What comes along with the package: few packages beyond Prefect's own, under licences that ask nothing of its users."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, metadata, requires

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

BEYOND = 25
"""Packages that an installation without extras may add to Prefect's."""
PERMISSIVE = re.compile(
    r"\b(MIT|Apache|BSD|ISC|PSF|HPND|Python Software Foundation|Unlicense|0BSD"
    r"|MPL|Mozilla"  # of files of their own: who changes these passes the changes on
    r"|Redistribution and use in source and binary forms)\b",
    re.IGNORECASE,
)
KNOWN = {"text-unidecode": "Prefect's own, by python-slugify; the Artistic License may be chosen"}
"""Packages whose licence says something else, with the reason why they are here."""


def closure(*roots: str) -> set[str]:
    """Return all that is installed with some requirements, themselves included, as far as it is installed here."""
    seen = set[tuple[str, str]]()
    left = list(map(Requirement, roots))
    while left:
        wanted = left.pop()
        for extra in ("", *wanted.extras):
            if (name := canonicalize_name(wanted.name), extra) in seen:
                continue
            try:
                found = list(map(Requirement, requires(name) or []))
            except PackageNotFoundError:
                break
            seen.add((name, extra))
            left += [one for one in found if one.marker is None or one.marker.evaluate({"extra": extra})]
    return {name for name, _ in seen}


def licence(name: str) -> str:
    """Return all that a package says of its licence."""
    said = metadata(name)
    classified = [one for one in said.get_all("Classifier", []) if one.startswith("License ::")]
    return " ".join([*said.get_all("License-Expression", []), *said.get_all("License", []), *classified])


def test_few_packages_beyond_prefects() -> None:
    """An installation without extras adds few packages to those that Prefect brings; extras bring what they name."""
    beyond = closure("prefect-together") - closure("prefect") - {"prefect-together"}
    assert {"aiohttp", "obstore", "imagesize", "tinytag"} <= beyond
    assert len(beyond) < BEYOND, sorted(beyond)
    assert not beyond & {"pillow", "av", "pyarrow", "narwhals", "numpy"}


def test_licences_ask_nothing_of_users() -> None:
    """Whatever comes along, with all extras and by way of Prefect, is under a permissive licence, or is known by name."""
    others = {name for name in closure("prefect-together[media,tables,sql]") if not PERMISSIVE.search(licence(name))}
    assert KNOWN.keys() >= others, {name: licence(name)[:80] for name in others - KNOWN.keys()}
