"""How changed decisions are shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from jupyter_zt.cli.policy.sources import print_json
from jupyter_zt.cli.terminal import printable, table
from jupyter_zt.model import Decision
from jupyter_zt.policy.compare import Change


def print_changes(changes: Sequence[Change], total: int, *, as_json: bool, skipped: int = 0) -> int:
    """Prints what would be decided otherwise.

    Args:
        changes: The differing ones.
        total: How many were decided.
        as_json: For machines.
        skipped: How many were left out, as no policy decided them.

    Returns:
        The exit status: 1 where something changes.
    """
    found = Counter(change.direction for change in changes)
    counted = {kind: found[kind] for kind in ("looser", "stricter", "reworded")}
    if as_json:
        print_json(
            {
                "decided": total,
                "skipped": skipped,
                "changed": len(changes),
                **counted,
                "changes": [_plain(change) for change in changes],
            }
        )
        return 1 if changes else 0
    if changes:
        rows = [
            (
                it.direction,
                _shown(it.before),
                _shown(it.after),
                it.asked.action.connection,
                it.asked.principal.agent or it.asked.principal.human.name,
                it.asked.action.command or f"({it.asked.facts.verb.value})",
            )
            for it in changes
        ]
        print(printable(table(("", "before", "after", "connection", "who", "command"), rows)))
        print()
    left = f" {skipped} were decided by no policy." if skipped else ""
    print(
        f"{len(changes)} of {total} actions would be decided otherwise: "
        f"{', '.join(f'{count} {kind}' for kind, count in counted.items())}.{left}"
    )
    return 1 if changes else 0


def _shown(decision: Decision) -> str:
    asked = decision.obligations
    more = [f"{asked.quorum} {asked.reviewer_role}"] if asked.quorum else []
    more += [f"max_rows {asked.max_rows}"] if asked.max_rows else []
    more += [f"mask {tag}={kind.value}" for tag, kind in asked.masks]
    more += [f"step_up {asked.step_up_seconds}"] if asked.step_up_seconds else []
    more += [decision.code] if decision.code else []
    return " ".join([decision.verdict.value, ", ".join(more)]).strip()


def _plain(change: Change) -> dict[str, object]:
    asked = change.asked
    return {
        "direction": change.direction,
        "connection": asked.action.connection,
        "human": asked.principal.human.name,
        "roles": sorted(asked.principal.human.roles),
        "agent": asked.principal.agent or "",
        "session": asked.action.session,
        "command": asked.action.command,
        "facts": asked.facts.to_json(),
        "before": change.before.to_json(),
        "after": change.after.to_json(),
    }
