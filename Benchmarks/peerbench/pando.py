"""Pando: two nodes of a cluster, each over its own database.

The other runners copy folder A to folder B. A node keeps files in its database, so there are three ways here: folder A
into node A (`ingest`), node A to node B (the sync), and node B out to folder B (`write_out`). Each has a row of its own.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import subprocess
import urllib.parse
from pathlib import Path
from typing import Any

from peerbench.peers.base import Peer
from peerbench.processes import CommandFailed, Processes, free_port, wait_for_port

_PROGRAM = os.environ.get("PANDO_PROGRAM") or str(Path(__file__).resolve().parents[2] / ".build-release/release/pando")

# Arguments of one command stay far below what the system takes.
_PATHS_A_COMMAND = 500


class Pando(Peer):
    name = "pando"
    about = (
        "two nodes of one cluster. A timed step is POST /sync/trigger on node B until both nodes tell the same root, durable. "
        "Not in it, but in rows of their own: 'ingest', which brings folder A's changes into node A (`pando put -r` of new and "
        "changed files, `pando mv`, `pando rm`; the runner has found out before, untimed, which those are), and 'write out', "
        "which brings node B's files to folder B (`pando get -r /`, which looks at all of the folder each time; removing what is "
        "gone is not timed). The other peers' steps hold all three and the search for changes, so compare them with the sum. "
        "Metadata is both nodes' data directories, content included")
    programs = (_PROGRAM,)

    def __init__(self, a: Path, b: Path, state: Path, processes: Processes) -> None:
        super().__init__(a, b, state, processes)
        self._seen = Folder({}, {})
        self._connections: dict[str, http.client.HTTPConnection] = {}
        self._tokens: dict[str, str] = {}
        self._ports: dict[str, int] = {}
        self._batches = 0
        # No variable of another use of the program reaches it.
        self._env = {key: "" for key in os.environ if key.startswith("PANDO_")}
        self._env |= {"XDG_CONFIG_HOME": str(state / "config"), "XDG_STATE_HOME": str(state / "state")}

    def setup(self) -> None:
        self._start("A")
        # The invitation is alone on the standard output, and must not get into the log.
        invitation = self._output("invite", "--data", self._data("A")).split()[0]
        self._start("B", "--join", f"http://127.0.0.1:{self._ports['A']}", "--join-token", invitation)
        self._wait_for_member()

    def _wait_for_member(self) -> None:
        """B is there when a sync that it starts succeeds."""
        for _ in range(200):
            try:
                self._tokens["B"] = self._output("token", "--data", self._data("B")).strip()
                self.first_sync()
                return
            except (CommandFailed, OSError):
                self._connections.pop("B", None)
                subprocess.run(["sleep", "0.1"], check=True)
        raise CommandFailed(f"node B did not join: {self.processes.log_text()[-400:]}")

    def _start(self, label: str, *arguments: str) -> None:
        port = free_port()
        self._ports[label] = port
        self.processes.start([_PROGRAM, "serve", "--data", self._data(label), "--port", str(port), "--label", label, "--manual", *arguments],
                             env=self._env)
        wait_for_port(port)
        self._tokens[label] = self._output("token", "--data", self._data(label)).strip()

    def _data(self, label: str) -> str:
        return str(self.state / label)

    # The three ways.

    def prepare(self) -> list[list[str]]:
        """The commands that bring folder A's changes since the last call into node A. Not timed.

        Changed files are gathered as hard links in a folder of their own, so that one command puts them.
        """
        before, now = self._seen, Folder.of(self.a)
        commands: list[list[str]] = []
        for old, new in before.renames(now):
            commands.append(["mv", f"/{old}", f"/{new}"])
            before = before.renamed(old, new)
        gone = sorted(before.files.keys() - now.files.keys())
        for start in range(0, len(gone), _PATHS_A_COMMAND):
            commands.append(["rm", *(f"/{path}" for path in gone[start : start + _PATHS_A_COMMAND])])
        changed = [path for path, stamp in now.files.items() if before.files.get(path) != stamp]
        if changed and not self._seen.files:
            commands.append(["put", "-r", f"{self.a}/.", "/"])
        elif changed:
            self._batches += 1
            batch = self.state.parent / f"changed-{self._batches}"
            for path in changed:
                (batch / path).parent.mkdir(parents=True, exist_ok=True)
                os.link(self.a / path, batch / path)
            commands.append(["put", "-r", f"{batch}/.", "/"])
            # A link moved the files' change times.
            now = Folder.of(self.a)
        self._seen = now
        return commands

    def ingest(self, commands: list[list[str]]) -> None:
        """Run what `prepare` found."""
        for command in commands:
            self.processes.run([_PROGRAM, command[0], "--data", self._data("A"), *command[1:]], env=self._env)

    def first_sync(self) -> None:
        while True:
            for peer in self._ask("B", "POST", "/sync/trigger", b"{}")["peers"]:
                if not peer["ok"]:
                    raise CommandFailed(f"the sync failed: {peer.get('error')}")
            if self._ask("A", "GET", "/sync/status")["root"] == self._ask("B", "GET", "/sync/status")["root"]:
                return

    def drop_deleted(self) -> None:
        """Remove from folder B what node B does not hold. Not timed."""
        held = set(self._paths("B"))
        for path in Folder.of(self.b).files.keys() - held:
            (self.b / path).unlink()

    def write_out(self) -> None:
        """Bring node B's files to folder B."""
        self.processes.run([_PROGRAM, "get", "--data", self._data("B"), "-r", "/", str(self.b)], env=self._env)

    # Talking to a node.

    def _paths(self, label: str) -> list[str]:
        """All files of a node, as paths without the first slash."""
        paths = []
        after = ""
        while True:
            page = self._ask(label, "GET", f"/files/?recursive=true&limit=10000{after}")
            paths += [item["path"][1:] for item in page["items"] if item["kind"] != "directory"]
            if not page["next"]:
                return paths
            after = f"&after={urllib.parse.quote(page['next'])}"

    def _ask(self, label: str, method: str, path: str, body: bytes | None = None) -> Any:
        connection = self._connections.setdefault(label, http.client.HTTPConnection("127.0.0.1", self._ports[label], timeout=1800))
        headers = {"Authorization": f"Bearer {self._tokens[label]}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        answer = response.read()
        if response.status != 200:
            raise CommandFailed(f"{method} {path}: {response.status} {answer[:300]!r}")
        return json.loads(answer)

    def _output(self, *words: str) -> str:
        done = subprocess.run([_PROGRAM, *words], capture_output=True, text=True, env={**os.environ, **self._env})
        if done.returncode:
            raise CommandFailed(f"pando {words[0]} exited {done.returncode}: {done.stdout[-200:]}{done.stderr[-400:]}")
        return done.stdout

    def teardown(self) -> None:
        for connection in self._connections.values():
            connection.close()
        super().teardown()

    @classmethod
    def version(cls) -> str:
        done = subprocess.run([_PROGRAM, "--version"], capture_output=True, text=True)
        if done.returncode == 0:
            return done.stdout.splitlines()[0].strip()
        with open(_PROGRAM, "rb") as program:
            return "program " + hashlib.file_digest(program, "sha256").hexdigest()[:12]


class Folder:
    """What a folder held: its files by path, and its directories' inodes."""

    def __init__(self, files: dict[str, tuple[int, int, int]], directories: dict[int, str]) -> None:
        self.files = files
        self.directories = directories

    @classmethod
    def of(cls, root: Path) -> Folder:
        files, directories = {}, {}
        for folder, names, members in os.walk(root):
            for name in names:
                path = os.path.join(folder, name)
                directories[os.lstat(path).st_ino] = os.path.relpath(path, root)
            for name in members:
                path = os.path.join(folder, name)
                stat = os.lstat(path)
                files[os.path.relpath(path, root)] = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
        return cls(files, directories)

    def renames(self, later: Folder) -> list[tuple[str, str]]:
        """Directories that have moved, without those that only moved along with one above them."""
        moved = [(path, later.directories[inode]) for inode, path in self.directories.items()
                 if later.directories.get(inode, path) != path]
        known = set(moved)
        return [(old, new) for old, new in moved
                if os.path.basename(old) != os.path.basename(new) or (os.path.dirname(old), os.path.dirname(new)) not in known]

    def renamed(self, old: str, new: str) -> Folder:
        """The same after a directory was renamed."""
        def place(path: str) -> str:
            return new + path[len(old):] if path == old or path.startswith(old + "/") else path
        return Folder({place(path): stamp for path, stamp in self.files.items()},
                      {inode: place(path) for inode, path in self.directories.items()})
