"""A node under measurement: started on loopback, asked over HTTP, stopped by its pid."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
MIB = 2**20


def program(variable: str, built: str) -> str:
    """A program's path: from the environment, or where the build puts it."""
    path = os.environ.get(variable) or str(Path(__file__).resolve().parents[2] / built)
    if not os.access(path, os.X_OK):
        raise SystemExit(f"{path} is missing; build it, or name another in {variable}")
    return path


def pando() -> str:
    return program("PANDO_PROGRAM", ".build-release/release/pando")


def http_load() -> str:
    return program("HTTP_LOAD_PROGRAM", "Benchmarks/.build-release/release/http-load")


def http_bare() -> str:
    return program("HTTP_BARE_PROGRAM", "Benchmarks/.build-release/release/http-bare")


class Server:
    """A program that prints where it listens and serves until it is told to end."""

    def __init__(self, argv: list[str], log: Path, listens: str) -> None:
        self._log = log
        with open(log, "wb") as out:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        self.port = int(self._wait_for(listens))

    def _wait_for(self, pattern: str) -> str:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            if found := re.search(pattern, self._log.read_text(errors="replace")):
                return found.group(1)
            time.sleep(0.01)
        self.stop()
        raise RuntimeError(f"no server: {self._log.read_text(errors='replace')[-1000:]}")

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def memory(self) -> dict[str, int]:
        """Resident bytes: now (VmRSS), at the peak (VmHWM), and without mapped files (RssAnon)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return {key: int(re.search(rf"{key}:\s+(\d+) kB", status).group(1)) * 1024  # type: ignore[union-attr]
                for key in ("VmRSS", "VmHWM", "RssAnon")}

    def forget_peak(self) -> None:
        """Start the peak (VmHWM) anew."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Node(Server):
    """A node on a data directory, which may hold data already."""

    def __init__(self, data: Path, *arguments: str) -> None:
        self.data = data
        data.mkdir(parents=True, exist_ok=True)
        super().__init__([pando(), "serve", "--data", str(data), "--port", "0", *arguments],
                         data.with_suffix(".log"), r"listens at http://127\.0\.0\.1:(\d+)")
        self.url = f"http://127.0.0.1:{self.port}"
        self._connection: http.client.HTTPConnection | None = None
        self.token = self.command("token").strip()

    def command(self, *words: str) -> str:
        """Run the command line against this node and return what it prints."""
        done = subprocess.run([pando(), words[0], "--data", str(self.data), *words[1:]], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"pando {words[0]}: {done.stdout} {done.stderr}")
        return done.stdout

    def request(self, method: str, path: str, body: bytes = b"", kind: str = "application/octet-stream") -> bytes:
        """One request over a connection that is kept."""
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=3600)
        self._connection.request(method, path, body, {"Authorization": f"Bearer {self.token}", "Content-Type": kind})
        response = self._connection.getresponse()
        answer = response.read()
        if response.status >= 300:
            raise RuntimeError(f"{method} {path}: {response.status} {answer[:500]!r}")
        return answer

    def status(self) -> dict[str, Any]:
        return json.loads(self.request("GET", "/sync/status"))

    def trigger(self) -> dict[str, Any]:
        """Sync with all peers now, and wait for it."""
        answer = json.loads(self.request("POST", "/sync/trigger", b"{}", "application/json"))
        for peer in answer["peers"]:
            if not peer["ok"]:
                raise RuntimeError(f"the sync failed: {peer}")
        return answer

    def invite(self) -> str:
        return json.loads(self.command("invite", "--json"))["invitation"]

    def stop(self) -> None:
        if getattr(self, "_connection", None) is not None:
            self._connection.close()
            self._connection = None
        super().stop()


# Filling a node over the bulk routes of docs/protocol.md, without files on a disk.

_CHUNK = 1


def _integer(value: int) -> bytes:
    """Canonical: LEB128."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _text(text: str) -> bytes:
    encoded = text.encode()
    return _integer(len(encoded)) + encoded


def fill(node: Node, count: int, size: int = 4096, batch: int = 10_000) -> None:
    """Put `count` files of `size` random bytes into folders of a thousand."""
    for start in range(0, count, batch):
        numbers = range(start, min(start + batch, count))
        frames = bytearray()
        writes = bytearray(_integer(len(numbers)))
        for number in numbers:
            content = os.urandom(size)
            digest = hashlib.sha256(bytes([_CHUNK]) + content).digest()
            frames += bytes([_CHUNK, 0]) + size.to_bytes(4, "big") * 2 + digest + content
            writes += _text(f"/many/{number // 1000:05d}/file-{number:08d}.dat") + b"\0"
            # A file: root, height, size, media type, modification time (signed, so doubled).
            writes += b"\3" + digest + _integer(0) + _integer(size) + _text("application/octet-stream")
            writes += _integer(2 * (1_700_000_000_000_000_000 + number))
        node.request("POST", "/bulk/objects", bytes(frames) + b"\0")
        node.request("POST", "/bulk/commit", bytes(writes))
