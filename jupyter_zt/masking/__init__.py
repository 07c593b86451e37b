"""How classified columns are shown: the classification file, and the SQL that the target enforces.

- `Classification.load` reads `classification.yaml`; `for_connection` is what `access` needs.
- `postgres_column` gives the SQL of one masked column. The access room, which makes the views, is
  handed this function: rooms on one floor don't import each other.
- `result_masks` says which columns of a result stand for classified ones, for the header marks. It
  goes by name and explains only; what protects the values is the view.
"""

from __future__ import annotations

from jupyter_zt.masking.classification import Classification
from jupyter_zt.masking.postgres import postgres_column
from jupyter_zt.masking.results import result_masks

__all__ = ["Classification", "postgres_column", "result_masks"]
