"""The SQL of a masked column on PostgreSQL.

Each expression stands in a view, over the alias ``t`` of the base relation. The rules:

(1) What does not fit becomes `hide`: an unclassified column, a mask that its type can't carry.
(2) No expression may raise: an error text could show a value, and one bad row would hide a table.
(3) Nothing depends on a setting of the session (DateStyle, TimeZone, ...): the user may change
    those, and a token must be the same for everybody.
(4) The key of a pseudonym is read by an uncorrelated scalar sub-select: planned once per query,
    with the rights of the view's owner, and shown by no EXPLAIN and no view definition.

A pseudonym is ``sha256(key || sha256(key || value))``, the shape of HMAC (RFC 2104) with the
built-in function, cut to 80 bits: among a million persons two share a token with a chance of 4e-13.
"""

from __future__ import annotations

from jupyter_zt.model import (
    ColumnMask,
    MaskedColumn,
    MaskKind,
    SourceColumn,
    TypeFamily,
    quote_identifier,
    quote_literal,
)

UNCLASSIFIED = "unclassified"
TOKEN_HEX_DIGITS = 20

_DATES = frozenset({TypeFamily.DATE, TypeFamily.TIMESTAMP, TypeFamily.TIMESTAMPTZ})
_NUMBERS = frozenset({TypeFamily.INTEGER, TypeFamily.NUMERIC, TypeFamily.FLOAT})


def postgres_column(column: SourceColumn, mask: ColumnMask | None, keys: str) -> MaskedColumn:
    """How one column stands in its masked view.

    Args:
        column: The column, as the target has it.
        mask: Its classification; None when there is none, and then it is hidden.
        keys: Quoted name of the key table: ``domain text primary key, key bytea``.

    Returns:
        The expression, without the output name, and what is really applied.
    """
    if mask is None:
        return _hidden(column, UNCLASSIFIED, "it is not classified")
    source = f"t.{quote_identifier(column.name)}"
    expression: str | None
    match mask.kind:
        case MaskKind.CLEAR:
            expression = _clear(source, column)
        case MaskKind.HIDE:
            return _hidden(column, mask.tag)
        case MaskKind.REDACT:
            if column.family is not TypeFamily.TEXT:
                return MaskedColumn(_null(column), reads=False, mask=mask)
            return MaskedColumn(quote_literal(f"[{mask.tag}]") + "::text", reads=False, mask=mask)
        case MaskKind.PSEUDONYM:
            expression = _pseudonym(source, column, mask.tag, keys)
        case MaskKind.BUCKET:
            expression = _bucket(source, column, mask.argument)
        case MaskKind.PARTIAL:
            expression = _partial(source, column, mask.argument)
    if expression is None:
        form = f"{mask.kind.value} {mask.argument}".strip()
        return _hidden(column, mask.tag, f"{form} does not fit the type {column.type}")
    return MaskedColumn(expression, reads=True, mask=mask)


def _hidden(column: SourceColumn, tag: str, note: str = "") -> MaskedColumn:
    mask = ColumnMask(column.relation, column.name, tag, MaskKind.HIDE)
    return MaskedColumn(_null(column), reads=False, mask=mask, note=note)


def _null(column: SourceColumn) -> str:
    return f"NULL::{'text' if column.family is TypeFamily.EXOTIC else column.type}"


def _clear(source: str, column: SourceColumn) -> str:
    """The cast takes off a domain, whose checks would run functions on the user's behalf."""
    return f"{source}::{'text' if column.family is TypeFamily.EXOTIC else column.type}"


def _pseudonym(source: str, column: SourceColumn, tag: str, keys: str) -> str:
    key = f"(SELECT k.key FROM {keys} AS k WHERE k.domain = {quote_literal(tag)})"  # noqa: S608 (quoted)
    value = f"convert_to({_canonical(source, column)}, 'UTF8')"
    token = f"encode(sha256({key} || sha256({key} || {value})), 'hex')"
    return f"{quote_literal(tag + '_')} || left({token}, {TOKEN_HEX_DIGITS})"


def _canonical(source: str, column: SourceColumn) -> str:
    """The value as the one text that no setting changes."""
    match column.family:
        case TypeFamily.DATE:
            return f"to_char({source}, 'YYYY-MM-DD BC')"
        case TypeFamily.TIMESTAMP:
            return f"to_char({source}, 'YYYY-MM-DD HH24:MI:SS.US BC')"
        case TypeFamily.TIMESTAMPTZ:
            return f"to_char({source} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US BC')"
        case TypeFamily.FLOAT:
            return f"encode(float8send({source}), 'hex')"
        case _:
            return f"{source}::text"


def _bucket(source: str, column: SourceColumn, width: str) -> str | None:
    if column.family in _DATES:
        return _period(source, column, width)
    if column.family not in _NUMBERS or not width.isdigit():
        return None
    low = f"floor({source}::numeric / {width}) * {width}"
    # Only from PostgreSQL 14 on has numeric an infinity; text keeps NaN and both infinities apart.
    finite = (
        "true"
        if column.family is TypeFamily.INTEGER
        else f"{source}::text NOT IN ('NaN', 'Infinity', '-Infinity')"
    )
    label = f"({low})::text || '-' || ({low} + {int(width) - 1})::text"
    return f"CASE WHEN {finite} THEN {label} END"


def _period(source: str, column: SourceColumn, period: str) -> str | None:
    local = f"{source} AT TIME ZONE 'UTC'" if column.family is TypeFamily.TIMESTAMPTZ else source
    match period:
        case "year":
            value = f"extract(year FROM {local})::integer"
        case "decade":
            value = f"(floor(extract(year FROM {local}) / 10) * 10)::integer"
        case "month":
            value = f"to_char({local}, 'YYYY-MM')"
        case _:
            return None
    return f"CASE WHEN isfinite({source}) THEN {value} END"


def _partial(source: str, column: SourceColumn, form: str) -> str | None:
    if form == "year":
        return _period(source, column, "year") if column.family in _DATES else None
    if column.family is not TypeFamily.TEXT and (column.family, form) != (
        TypeFamily.INTEGER,
        "last4",
    ):
        return None
    text = f"{source}::text"
    match form:
        case "last4":
            # The separators of phone and card numbers don't count; a short value shows nothing.
            # Counting without separators is the slow part, so a long value is not counted.
            enough = f"length({text}) > 14 OR length({_bare(text)}) > 7"
            end = f"right({_bare(f'right({text}, 8)')}, 4)"
            return f"'****' || CASE WHEN {enough} THEN {end} ELSE left({text}, 0) END"
        case "domain":
            # Anchored, and without spaces: free text with an @ in it must not pass for an address.
            # A test and a split are five times as fast as one capturing expression.
            address = f"{text} ~ '^[^@[:space:]]+@[A-Za-z0-9.-]+$'"
            domain = f"CASE WHEN {address} THEN split_part({text}, '@', 2) ELSE '***' END"
            return f"'***@' || {domain} || left({text}, 0)"
        case "initial":
            return (
                f"CASE WHEN length({text}) > 1 THEN left({text}, 1) || '.' ELSE left({text}, 0) END"
            )
        case _:
            return None


def _bare(text: str) -> str:
    return f"translate({text}, ' -./()', '')"
