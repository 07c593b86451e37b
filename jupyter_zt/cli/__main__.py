"""`python -m jupyter_zt.cli`: `jupyter zt` for one who knows only which Python."""

from __future__ import annotations

import sys

from jupyter_zt.cli import main

sys.exit(main())
