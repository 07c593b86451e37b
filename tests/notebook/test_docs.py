"""The examples of docs/notebook.md run, in their order, in one kernel."""

from __future__ import annotations

import re
from pathlib import Path

from tests.kernel.running_kernel import RunningKernel

PAGE = Path(__file__).parents[2] / "docs/notebook.md"


def test_the_examples_run(kernel: RunningKernel) -> None:
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(examples) > 10
    for example in examples:
        ran = kernel.run(example)
        assert ran.reply["status"] == "ok", f"{example}\n{ran.text}"
    assert kernel.value("len(pd.read_parquet('payments.parquet')), len(rows)") == "(100, 3)"
    assert kernel.value("len(recent) > 0, sorted(tickets.id)[:3]") == "(True, [1, 2, 3])"
