from __future__ import annotations

import pytest

from jupyter_zt.policy import PolicySet
from tests.policy.decisions import CONNECTIONS, DEMO


@pytest.fixture(scope="session")
def demo() -> PolicySet:
    return PolicySet({"demo.cedar": DEMO}, CONNECTIONS)
