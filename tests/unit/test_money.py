"""Money is shown in one way: in cents, and to four places below one cent."""

from __future__ import annotations

from decimal import Decimal

import pytest

from prefect_together.catalog import dollars


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("0", "$0.00"),
        ("0.03", "$0.03"),
        ("0.1", "$0.10"),
        ("0.041288", "$0.04"),
        ("0.349372", "$0.35"),
        ("0.3832", "$0.38"),
        ("0.345", "$0.35"),
        ("0.999", "$1.00"),
        ("12.5", "$12.50"),
        ("1E+2", "$100.00"),
        ("1234567.891", "$1,234,567.89"),
        ("0.01", "$0.01"),
        ("0.00999", "$0.01"),
        ("0.0099", "$0.0099"),
        ("0.0041288", "$0.0041"),
        ("0.00005", "$0.0001"),
        ("0.00004", "less than $0.0001"),
        ("-0.5", "-$0.50"),
    ],
)
def test_an_amount_for_people(amount: str, shown: str) -> None:
    """It is rounded as people round, has two or four places, and is never nothing where it is something."""
    assert shown == dollars(Decimal(amount))
