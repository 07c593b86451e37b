"""The shop's customers."""

from __future__ import annotations

import unicodedata
from datetime import date, datetime, timedelta

import numpy as np
import pyarrow as pa

from jupyter_zt.cli.demo.shop.countries import Country, read_countries
from jupyter_zt.cli.demo.shop.identifiers import NATIONAL_ID, SERIALS

MAIL_DOMAINS = ("example.com", "example.org", "example.net", "mail.example", "post.example")
"""Reserved for examples (RFC 2606): no real mailbox can be meant."""
OPENED = datetime(2019, 1, 1)  # noqa: DTZ001 (the shop's columns are timestamps without zone)
DAYS_OPEN = 2300
OLDEST_BIRTH = date(1938, 1, 1)
BIRTH_DAYS = 25_500

_UNDECOMPOSED = str.maketrans({"ł": "l", "Ł": "L", "ø": "o", "'": "", " ": ""})


def make_customers(draw: np.random.Generator, count: int) -> pa.Table:
    """One row for each customer, ids from 1 on."""
    countries = read_countries()
    homes = draw.choice(
        len(countries), size=count, p=[country.share / 100 for country in countries]
    )
    # One row of numbers for each customer, so that a customer stays the same if columns are added.
    numbers = draw.integers(0, 2**31, size=(count, 10))
    credit = np.round(draw.lognormal(8.2, 0.8, size=count) / 50) * 50
    rows = [
        _customer(countries[home], [int(n) for n in row])
        for home, row in zip(homes, numbers, strict=True)
    ]
    columns = dict(zip(_COLUMNS, zip(*rows, strict=True), strict=True))
    return pa.table(
        {
            "id": pa.array(range(1, count + 1), pa.int64()),
            **{name: pa.array(values) for name, values in columns.items()},
            "credit_limit": pa.array([f"{limit:.2f}" for limit in credit]),
            "created_at": pa.array(
                OPENED + timedelta(seconds=int(second))
                for second in np.sort(draw.integers(0, DAYS_OPEN * 86_400, size=count))
            ),
        }
    )


_COLUMNS = ("name", "email", "phone", "national_id", "birth_date", "address", "city", "country")


def _customer(country: Country, numbers: list[int]) -> tuple[str | date, ...]:
    given = country.given[numbers[0] % len(country.given)]
    surname = country.surnames[numbers[1] % len(country.surnames)]
    born = OLDEST_BIRTH + timedelta(days=numbers[2] % BIRTH_DAYS)
    domain = MAIL_DOMAINS[numbers[3] % len(MAIL_DOMAINS)]
    street = country.street.format(
        street=country.streets[numbers[4] % len(country.streets)], number=1 + numbers[5] % 180
    )
    return (
        f"{given} {surname}",
        f"{_ascii(given)}.{_ascii(surname)}{numbers[6] % 9000 + 10}@{domain}",
        _fill(country.phone, numbers[7]),
        NATIONAL_ID[country.name](born, numbers[8] % SERIALS),
        born,
        f"{street}, {_fill(country.postcode, numbers[9])}",
        country.cities[numbers[3] // 7 % len(country.cities)],
        country.name,
    )


def _ascii(name: str) -> str:
    """A name as it stands in a mail address: lower case, without accents, spaces, apostrophes."""
    plain = unicodedata.normalize("NFKD", name.translate(_UNDECOMPOSED))
    return plain.encode("ascii", "ignore").decode().lower()


def _fill(form: str, number: int) -> str:
    """`form` with each ``#`` replaced by a digit of `number`."""
    digits = iter(f"{number:010d}"[::-1])
    return "".join(next(digits) if character == "#" else character for character in form)
