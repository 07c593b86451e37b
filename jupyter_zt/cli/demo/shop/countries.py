"""What is typical of the countries that the shop sells to: ``countries.toml``, read."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Country:
    """What is typical of one country's customers.

    Attributes:
        share: Customers of this country in a hundred.
        phone: Telephone number with ``#`` for each free digit.
        postcode: With ``#`` for each free digit.
        street: Form of an address line: ``{street}`` and ``{number}``.
    """

    name: str
    share: int
    phone: str
    postcode: str
    street: str
    given: tuple[str, ...]
    surnames: tuple[str, ...]
    cities: tuple[str, ...]
    streets: tuple[str, ...]


def read_countries() -> list[Country]:
    """All countries, in the file's order."""
    text = files("jupyter_zt.cli.demo.shop").joinpath("countries.toml").read_text(encoding="utf-8")
    return [
        Country(
            name=name,
            share=entry["share"],
            phone=entry["phone"],
            postcode=entry["postcode"],
            street=entry["street"],
            given=_words(entry["given"]),
            surnames=_words(entry["surnames"]),
            cities=_words(entry["cities"]),
            streets=_words(entry["streets"]),
        )
        for name, entry in tomllib.loads(text).items()
    ]


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.replace("_", " ") for word in text.split())
