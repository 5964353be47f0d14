"""Pando: two folders that `pando sync` keeps the same through one node.

End to end: from a change in folder A to identical bytes in folder B, looking for the change and placing it included.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path

from peerbench.peers.base import MultiWriter
from peerbench.peers.pando import _PROGRAM, Pando
from peerbench.processes import CommandFailed, Processes, free_port, wait_for_port


class PandoFolder(MultiWriter):
    name = "pando-folder"
    about = (
        "`pando sync` of both folders with one node between them, each durable. A timed step is `pando sync A --once` and then `pando sync B --once`: "
        "two starts of the program, and two exchanges of heartbeats, are in it. Continuous mode is `pando sync` of both folders. "
        "Metadata is both folders' .pando; the node's data directory, content included, is not in it")
    programs = (_PROGRAM,)
    ignore = (".pando",)

    def __init__(self, a: Path, b: Path, state: Path, processes: Processes) -> None:
        super().__init__(a, b, state, processes)
        self._env = {key: "" for key in os.environ if key.startswith("PANDO_")}
        self._env |= {"XDG_CONFIG_HOME": str(state / "config"), "XDG_STATE_HOME": str(state / "state")}
        self._url = ""
        self._live: list[int] = []

    def setup(self) -> None:
        port = free_port()
        self._url = f"http://127.0.0.1:{port}"
        data = str(self.state / "node")
        self.processes.start([_PROGRAM, "serve", "--data", data, "--port", str(port)], env=self._env)
        wait_for_port(port)
        rule = ["--rule", "/**=all"]
        done = subprocess.run([_PROGRAM, "keys", "create", "bench", *rule, "--data", data], capture_output=True, text=True, env={**os.environ, **self._env})
        key = re.search(r"pando_[0-9a-f]{16}_[0-9a-f]{64}", done.stdout)
        if key is None:
            raise CommandFailed(f"no key: {done.stderr[-400:]}")
        self._env["PANDO_KEY"] = key.group(0)

    def first_sync(self) -> None:
        if self._live:
            return
        for folder in (self.a, self.b):
            self.processes.run([_PROGRAM, "sync", str(folder), self._url, "--once", "--yes-delete"], env=self._env)

    def start(self, folder: Path) -> int:
        """Starts a sync that goes on."""
        return self.processes.start([_PROGRAM, "sync", str(folder), self._url, "--yes-delete", "--json"], env=self._env)

    def watch(self) -> None:
        self._live += [self.start(folder) for folder in (self.a, self.b)]
        # Until both have gone through their folders.
        time.sleep(3)

    def part(self) -> None:
        for folder in (self.a, self.b):
            self.processes.run([_PROGRAM, "sync", "pause", str(folder)], env=self._env)

    def join(self) -> None:
        for folder in (self.a, self.b):
            self.processes.run([_PROGRAM, "sync", "resume", str(folder)], env=self._env)
        if self._live:
            time.sleep(5)
            return
        for folder in (self.a, self.b, self.a):
            self.processes.run([_PROGRAM, "sync", str(folder), self._url, "--once", "--yes-delete"], env=self._env)

    def metadata(self) -> list[Path]:
        return [folder / ".pando" for folder in (self.a, self.b)]

    @classmethod
    def version(cls) -> str:
        return Pando.version()
