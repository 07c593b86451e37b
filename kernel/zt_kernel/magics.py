"""The tool cells: `%%sql`, `%sql`, `%zt`, `%%react`, and plain words where there is no network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from IPython.core.magic import (
    Magics,
    line_cell_magic,
    line_magic,
    magics_class,
    needs_local_scope,
    no_var_expand,
)
from IPython.display import display

import zt_kernel
from zt_kernel import parameters, session_card, sql_line
from zt_kernel.errors import ZTRefused


@magics_class
class ZTMagics(Magics):
    """Registered in every kernel. A command's text is never touched: no variable expansion."""

    @no_var_expand
    @needs_local_scope
    @line_cell_magic
    def sql(
        self, line: str, cell: str | None = None, local_ns: Mapping[str, object] | None = None
    ) -> Any:
        """Runs one SQL statement: `%%sql warehouse`, `%%sql warehouse df <<`; `%zt help`."""
        asked = sql_line.read(line, cell)
        from zt_kernel import rendering, results, tool  # noqa: PLC0415 - load pandas

        assert self.shell is not None  # noqa: S101 - magics live in a shell
        names = self.shell.user_ns
        # Within a function its own variables come first, as everywhere in Python.
        bound = parameters.bind(asked.command, {**names, **(local_ns or {})})
        outcome, result = tool.fetch(
            asked.connection,
            bound.text,
            parameters=bound.values,
            limit=asked.limit,
            to=asked.to,
            overwrite=asked.overwrite,
            form=asked.form,
        )
        if asked.name:
            names[asked.name] = result
            display({"text/plain": results.assigned(asked.name, outcome)}, raw=True)
            return None
        if asked.form != "pandas":
            display({"text/plain": "\n".join(rendering.footer(outcome))}, raw=True)
        return result

    @no_var_expand
    @line_magic
    def zt(self, line: str) -> Any:
        """Who you are, which connections there are, the session and the sandbox. `%zt help`."""
        if line.strip() in {"help", "-h", "--help", "?"}:
            display({"text/plain": session_card.HELP}, raw=True)
            return None
        words = line.split()
        if words and words[0] in {"tables", "columns", "sample"}:
            from zt_kernel.catalog_view import show  # noqa: PLC0415 - loads pandas

            return show(words)
        if words:
            raise ZTRefused(
                f"%zt does not know {line.strip()!r}.",
                code="unknown_subcommand",
                hint="%zt alone shows the session; `%zt help` lists what this kernel can do.",
            )
        return zt_kernel.session()

    @no_var_expand
    @line_magic
    def pip(self, line: str) -> None:
        """Packages can't be installed from inside the sandbox."""
        raise no_packages("%pip")

    @no_var_expand
    @line_magic
    def conda(self, line: str) -> None:
        """Packages can't be installed from inside the sandbox."""
        raise no_packages("%conda")


def no_packages(what: str) -> ZTRefused:
    """Why there is nothing to install from."""
    return ZTRefused(
        f"{what} has nowhere to go: this kernel has no network, and its packages are read-only.",
        code="no_network",
        who="whoever runs this JupyterLab can add a package to its environment",
    )
