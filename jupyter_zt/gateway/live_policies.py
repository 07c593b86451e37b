"""The policy set that decides, and its exchange for another while the gateway runs.

1. The folder's files are looked at every second; nothing is read while none has changed.
2. Changed files are loaded as a whole set, with all checks of a start. A set that is wrong in any
   part is refused: the one before goes on deciding, and the gateway's log says file and line.
3. The exchange is recorded, durably, before the new set decides anything.
4. From then on every action is decided by it, those of running sessions too. A held action's
   consent names the set that asked for it, so it becomes void.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from pathlib import Path

from jupyter_zt.errors import ConfigError, ZTError
from jupyter_zt.gateway.records import Records
from jupyter_zt.model import RecordDraft, RecordKind
from jupyter_zt.policy import NOTHING_KNOWN, Classified, PolicySet, policy_files

LOOK_SECONDS = 1.0

_Stamp = frozenset[tuple[str, int, int, int]]
logger = logging.getLogger(__name__)


class LivePolicies:
    """The one set that decides at a time.

    Args:
        folder: Holds its ``*.cedar`` files and `patterns.yaml`.
        connections: Names of the configured connections.
        classified: What is known of their columns.

    Attributes:
        current: The set that decides now.
        refused: Why the files as they are now don't decide; None where they do.

    Raises:
        ConfigError: With file and line. Without a good set there is nothing to begin with.
    """

    def __init__(
        self,
        folder: Path,
        connections: Collection[str],
        classified: Classified = NOTHING_KNOWN,
    ) -> None:
        self._folder = folder
        self._connections = connections
        self._classified = classified
        # Before the files are read: a change in between is seen at the first look.
        self._stamp = self._look()
        self.current = self._load()
        self.refused: ConfigError | None = None

    async def watch(self, records: Records) -> None:
        """Exchanges the set whenever its files change, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                stamp = await asyncio.to_thread(self._look)
                if stamp != self._stamp:
                    await self._exchange(records)
                    self._stamp = stamp
            except ZTError as error:
                # The log is not durable now: the set before goes on, and this is tried again.
                logger.warning("the policies are not exchanged yet: %s", error.diagnostics())

    async def _exchange(self, records: Records) -> None:
        try:
            candidate = await asyncio.to_thread(self._load)
        except ConfigError as error:
            self.refused = error
            logger.error(  # noqa: TRY400 (what is wrong is in the file, not in the trace)
                "the changed policies are refused, %s goes on deciding: %s",
                self.current.digest[:12],
                error.diagnostics(),
            )
            return
        before = self.current.digest
        if candidate.digest != before:
            await records.append(
                [
                    RecordDraft(
                        RecordKind.ADMIN,
                        "",
                        fields={"change": "policy", "before": before, "policy": candidate.digest},
                    )
                ]
            )
            self.current = candidate
            logger.info("policies %s decide from now on", candidate.digest[:12])
        self.refused = None

    def _load(self) -> PolicySet:
        return PolicySet.load(self._folder, self._connections, classified=self._classified)

    def _look(self) -> _Stamp:
        """Names, times and sizes: what a saved, replaced, added or removed file changes.

        A folder that can't be read is empty, which no good set is.
        """
        try:
            found = [(path, path.stat()) for path in policy_files(self._folder)]
        except OSError:
            return frozenset()
        return frozenset((p.name, s.st_mtime_ns, s.st_size, s.st_ino) for p, s in found)
