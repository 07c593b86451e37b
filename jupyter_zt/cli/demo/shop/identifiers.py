"""National ids and card numbers that pass their own check digits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date

import numpy as np
from numpy.typing import NDArray

SERIALS = 10**9
"""A national id is made from a birth date and a number below this."""


def social_security_number(_born: date, serial: int) -> str:
    """United States: area, group and serial are in the ranges ever issued (SSA, before 2011)."""
    area = 1 + serial % 665
    group = 1 + serial // 665 % 99
    return f"{area:03d}-{group:02d}-{1 + serial // (665 * 99) % 9999:04d}"


def national_insurance_number(born: date, serial: int) -> str:
    """United Kingdom: two letters in use, six digits, a suffix from A to D (HMRC NIM39110)."""
    first, second = "ABCEGHJKLMNPRSTWXY", "ABCEGHJKLMPRSTWXYZ"
    digits = serial // 324 % 10**6
    prefix = first[serial % 18] + second[serial // 18 % 18]
    if prefix in {"BG", "GB", "NK", "NT"}:  # never issued
        prefix = "AB"
    return f"{prefix}{digits:06d}{'ABCD'[born.day % 4]}"


def numero_de_securite_sociale(born: date, serial: int) -> str:
    """France (NIR): sex, year, month, department, commune, order, control key."""
    sex, department = 1 + serial % 2, 1 + serial // 2 % 19
    commune, order = 1 + serial // 38 % 600, 1 + serial // 22_800 % 999
    body = f"{sex}{born:%y%m}{department:02d}{commune:03d}{order:03d}"
    return f"{body}{97 - int(body) % 97:02d}"


def documento_nacional(_born: date, serial: int) -> str:
    """Spain (DNI): eight digits and the letter that they give modulo 23."""
    number = serial % 10**8
    return f"{number:08d}{'TRWAGMYFPDXBNJZSQVHLCKE'[number % 23]}"


def pesel(born: date, serial: int) -> str:
    """Poland: birth date (from 2000 on the month plus 20), serial, weighted check digit."""
    month = born.month + (20 if born.year >= 2000 else 0)
    body = f"{born:%y}{month:02d}{born:%d}{serial % 10**4:04d}"
    check = sum(weight * int(digit) for weight, digit in zip((1, 3, 7, 9) * 3, body, strict=False))
    return f"{body}{-check % 10}"


def cadastro_de_pessoas(_born: date, serial: int) -> str:
    """Brazil (CPF): nine digits and two check digits modulo 11."""
    digits = [int(digit) for digit in f"{max(serial, 1):09d}"]
    first = -sum((10 - i) * digit for i, digit in enumerate(digits)) % 11 % 10
    second = -(sum((11 - i) * digit for i, digit in enumerate(digits)) + 2 * first) % 11 % 10
    text = "".join(map(str, digits))
    return f"{text[:3]}.{text[3:6]}.{text[6:]}-{first}{second}"


def personnummer(born: date, serial: int) -> str:
    """Sweden: birth date, serial, Luhn check digit."""
    body = f"{born:%y%m%d}{serial % 1000:03d}"
    return f"{body[:6]}-{body[6:]}{luhn_digit(np.array([[int(d) for d in body]]))[0]}"


def burgerservicenummer(_born: date, serial: int) -> str:
    """Netherlands (BSN): the weighted sum of nine digits is divisible by 11."""
    number = 10**7 + serial % (9 * 10**7)
    while True:
        check = sum((9 - i) * int(digit) for i, digit in enumerate(f"{number:08d}")) % 11
        if check < 10:
            return f"{number:08d}{check}"
        number += 1  # no ninth digit passes for this one


NATIONAL_ID: Mapping[str, Callable[[date, int], str]] = {
    "United States": social_security_number,
    "United Kingdom": national_insurance_number,
    "France": numero_de_securite_sociale,
    "Spain": documento_nacional,
    "Poland": pesel,
    "Brazil": cadastro_de_pessoas,
    "Sweden": personnummer,
    "Netherlands": burgerservicenummer,
}


def luhn_digit(digits: NDArray[np.int64]) -> NDArray[np.int64]:
    """The check digit for each row of digits (ISO/IEC 7812-1, annex B)."""
    doubled = digits.copy()
    doubled[:, ::-1][:, ::2] *= 2
    check: NDArray[np.int64] = -(doubled // 10 + doubled % 10).sum(axis=1) % 10
    return check


def card_numbers(draw: np.random.Generator, count: int) -> NDArray[np.int64]:
    """Sixteen-digit Visa (4) and Mastercard (51 to 55) numbers with a valid check digit."""
    digits = draw.integers(0, 10, size=(count, 15))
    mastercard = draw.random(count) < 0.4
    digits[:, 0] = np.where(mastercard, 5, 4)
    digits[:, 1] = np.where(mastercard, 1 + digits[:, 1] % 5, digits[:, 1])
    whole = np.column_stack([digits, luhn_digit(digits)])
    numbers: NDArray[np.int64] = whole @ (10 ** np.arange(15, -1, -1, dtype=np.int64))
    return numbers
