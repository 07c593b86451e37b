"""The demo's shop: deterministic, and valid where a detector would look."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import luhn
from stdnum.br import cpf
from stdnum.es import dni
from stdnum.fr import nir
from stdnum.nl import bsn
from stdnum.pl import pesel
from stdnum.se import personnummer
from stdnum.us import ssn

from jupyter_zt.cli.demo.shop import make_tables
from jupyter_zt.cli.demo.shop.countries import read_countries
from jupyter_zt.cli.demo.shop.identifiers import NATIONAL_ID, SERIALS

VALIDATORS = {
    "United States": ssn,
    "France": nir,
    "Spain": dni,
    "Poland": pesel,
    "Brazil": cpf,
    "Sweden": personnummer,
    "Netherlands": bsn,
}


@pytest.fixture(scope="module")
def shop() -> dict[str, pa.Table]:
    return make_tables(customers=2000, orders=6000, tickets=500)


@pytest.mark.parametrize("country", VALIDATORS)
@given(born=st.dates(date(1938, 1, 1), date(2007, 12, 31)), serial=st.integers(0, SERIALS - 1))
def test_national_id_passes_its_check_digits(country: str, born: date, serial: int) -> None:
    assert VALIDATORS[country].is_valid(NATIONAL_ID[country](born, serial))


@given(born=st.dates(date(1938, 1, 1), date(2007, 12, 31)), serial=st.integers(0, SERIALS - 1))
def test_national_insurance_number_has_no_prefix_that_is_never_issued(
    born: date, serial: int
) -> None:
    number = NATIONAL_ID["United Kingdom"](born, serial)
    assert len(number) == 9
    assert number[:2] not in {"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"}


def test_every_country_has_a_national_id_and_the_shares_add_up() -> None:
    countries = read_countries()
    assert {country.name for country in countries} == set(NATIONAL_ID)
    assert sum(country.share for country in countries) == 100


def test_same_seed_makes_the_same_shop(shop: dict[str, pa.Table]) -> None:
    again = make_tables(customers=2000, orders=6000, tickets=500)
    assert {name: table.to_pylist() for name, table in again.items()} == {
        name: table.to_pylist() for name, table in shop.items()
    }


def test_more_orders_leave_the_customers_as_they_are(shop: dict[str, pa.Table]) -> None:
    assert make_tables(customers=2000, orders=7000, tickets=1)["customers"].equals(
        shop["customers"]
    )


def test_card_numbers_pass_luhn(shop: dict[str, pa.Table]) -> None:
    cards = shop["payments"]["card_number"].drop_null().to_pylist()
    assert len(cards) > 3000
    assert all(len(card) == 16 and luhn.is_valid(card) for card in cards)


def test_references_point_to_rows_that_are_there(shop: dict[str, pa.Table]) -> None:
    ids = {name: set(table["id"].to_pylist()) for name, table in shop.items()}
    assert set(shop["orders"]["customer_id"].to_pylist()) <= ids["customers"]
    assert set(shop["orders"]["product_id"].to_pylist()) <= ids["products"]
    assert set(shop["payments"]["order_id"].to_pylist()) <= ids["orders"]
    assert set(shop["support_tickets"]["customer_id"].to_pylist()) <= ids["customers"]


def test_mail_addresses_are_plain_ascii_at_reserved_domains(shop: dict[str, pa.Table]) -> None:
    for email in shop["customers"]["email"].to_pylist():
        assert email.isascii()
        assert " " not in email
        assert email.rsplit("@")[1].split(".")[-2:][-1] in {"com", "org", "net", "example"}


def test_tickets_hold_personal_data_of_their_customer(shop: dict[str, pa.Table]) -> None:
    people = {person["id"]: person for person in shop["customers"].to_pylist()}
    tickets = shop["support_tickets"].to_pylist()
    giving_away = [
        ticket
        for ticket in tickets
        if any(
            people[ticket["customer_id"]][column] in ticket["body"]
            for column in ("email", "phone", "national_id", "name")
        )
    ]
    assert len(giving_away) > len(tickets) / 2
