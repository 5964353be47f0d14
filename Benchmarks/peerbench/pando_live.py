"""Pando: two folders whose `pando sync` goes on all the time, asked to bring the two together.

As syncthing's runner asks its daemons. Both syncs are stopped (SIGSTOP) while the harness changes folder A and compares, or they
would have sent the change before the clock starts.
"""

from __future__ import annotations

import json
import os
import signal
import time
import uuid
from pathlib import Path
from typing import ClassVar

from peerbench.peers.base import Peer
from peerbench.peers.pando_folder import PandoFolder  # type: ignore[import-not-found]
from peerbench.processes import CommandFailed, Processes

_POLL_SECONDS = 0.002


class PandoLive(Peer):
    name = "pando-live"
    about = (
        "`pando sync` of both folders running, with one node between them, each durable. A timed step lets both go on, asks A's and then B's "
        "to bring folder and node together, as `pando sync --once` asks a sync that runs, and waits for the answers. The first sync starts both. "
        "Metadata is both folders' .pando")
    programs: ClassVar[tuple[str, ...]] = PandoFolder.programs
    ignore: ClassVar[tuple[str, ...]] = PandoFolder.ignore

    def __init__(self, a: Path, b: Path, state: Path, processes: Processes) -> None:
        super().__init__(a, b, state, processes)
        self._folder = PandoFolder(a, b, state, processes)
        self._running: list[int] = []

    def setup(self) -> None:
        self._folder.setup()

    def first_sync(self) -> None:
        self._running = [self._folder.start(folder) for folder in (self.a, self.b)]
        self._meet()

    def resync(self) -> None:
        self._signal(signal.SIGCONT)
        self._meet()

    def _meet(self) -> None:
        for folder in (self.a, self.b):
            self._ask(folder)
        self._signal(signal.SIGSTOP)

    def _signal(self, number: signal.Signals) -> None:
        for pid in self._running:
            os.kill(pid, number)

    def _ask(self, folder: Path) -> None:
        """What `pando sync --once` does where a sync is running: a file that asks, and one that answers."""
        requests = folder / ".pando" / "requests"
        while not requests.is_dir():
            self._require_running()
            time.sleep(_POLL_SECONDS)
        name = requests / str(uuid.uuid4())
        beside = name.with_suffix(".new")
        beside.write_text('{"once":{}}')
        os.rename(beside, name.with_suffix(".request"))
        answer = name.with_suffix(".answer")
        while not answer.exists():
            self._require_running()
            time.sleep(_POLL_SECONDS)
        told = json.loads(answer.read_text())
        answer.unlink()
        if not told.get("summary", {}).get("isInSync"):
            raise CommandFailed(f"{folder} is not in sync: {told}")

    def _require_running(self) -> None:
        for pid in self._running:
            with open(f"/proc/{pid}/stat") as stat:
                if stat.read().rpartition(")")[2].split()[0] != "Z":
                    continue
            raise CommandFailed(f"a sync ended: {self.processes.log_text()[-400:]}")

    def metadata(self) -> list[Path]:
        return self._folder.metadata()

    def teardown(self) -> None:
        self._signal(signal.SIGCONT)
        super().teardown()

    @classmethod
    def version(cls) -> str:
        return PandoFolder.version()
