"""What a running node does over HTTP on loopback. See `--help`, and the page docs/performance.md for the goals."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from node import MIB, Node, Server, fill, http_bare, http_load, pando

GIB = 2**30


class Bench:
    """The settings, and the figures so far."""

    def __init__(self, options: argparse.Namespace, scratch: Path) -> None:
        self.runs: int = options.runs
        self.scale: float = options.scale
        self.scratch = scratch
        self.rows: list[dict[str, Any]] = []

    def scaled(self, full: int) -> int:
        return max(1, int(full * self.scale))

    def directory(self, name: str) -> Path:
        """A new directory for a node's data."""
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.scratch)) / "data"

    def add(self, name: str, values: Sequence[float], unit: str, goal: tuple[str, float] | None = None, **more: Any) -> None:
        """Note a figure. A goal is '>=' or '<=' and a number; that of a row with a `ratio` is for the ratio."""
        median = statistics.median(values)
        row: dict[str, Any] = {"name": name, "median": median, "min": min(values), "max": max(values), "n": len(values),
                               "unit": unit, **more}
        text = f"{name:<48} {median:,.2f} {unit} ({min(values):,.2f} to {max(values):,.2f}, n={len(values)})"
        if more:
            text += "; " + ", ".join(f"{key} {value:,.2f}" if isinstance(value, float) else f"{key} {value}" for key, value in more.items())
        if goal:
            judged = more.get("ratio", median)
            met = judged >= goal[1] if goal[0] == ">=" else judged <= goal[1]
            row |= {"goal": f"{goal[0]} {goal[1]:g}", "met": met}
            text += f"; goal {goal[0]} {goal[1]:g}: {'met' if met else 'MISSED'}"
        self.rows.append(row)
        print(text, flush=True)


def sync_rate(directory: Path, count: int = 500) -> float:
    """Appends of 4 KiB, each made durable before the next, a second."""
    path = directory / "sync-rate"
    with open(path, "wb", buffering=0) as out:
        begin = time.perf_counter()
        for _ in range(count):
            out.write(bytes(4096))
            os.fdatasync(out.fileno())
        rate = count / (time.perf_counter() - begin)
    path.unlink()
    return rate


def disk_rate(directory: Path, size: int) -> float:
    """Megabytes a second that the disk takes in one run of writes with a sync at its end: nothing durable is faster."""
    path = directory / "disk-rate"
    block = os.urandom(MIB)
    os.sync()
    with open(path, "wb", buffering=0) as out:
        begin = time.perf_counter()
        for _ in range(max(1, size // MIB)):
            out.write(block)
        os.fdatasync(out.fileno())
        rate = max(1, size // MIB) * MIB / (time.perf_counter() - begin) / 1e6
    path.unlink()
    os.sync()
    return rate


def random_file(path: Path, size: int) -> Path:
    with open(path, "wb") as out:
        rest = size
        while rest > 0:
            out.write(os.urandom(min(rest, 8 * MIB)))
            rest -= 8 * MIB
    return path


def run_json(argv: list[str], token: str) -> dict[str, Any]:
    done = subprocess.run(argv, capture_output=True, text=True, env={**os.environ, "PANDO_TOKEN": token})
    if done.returncode:
        raise RuntimeError(f"{argv}: {done.stdout} {done.stderr}")
    return json.loads(done.stdout)


def curl(url: str, token: str, *arguments: str) -> dict[str, float]:
    """One transfer; what curl says of it."""
    done = subprocess.run(
        ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code} %{time_total} %{speed_upload} %{speed_download}",
         "-H", "Expect:", "-H", f"Authorization: Bearer {token}", *arguments, url],
        capture_output=True, text=True, check=True)
    code, seconds, up, down = done.stdout.split()
    if code not in ("200", "201"):
        raise RuntimeError(f"{url}: {code}")
    return {"seconds": float(seconds), "up": float(up), "down": float(down)}


# The measurements.


def small_puts(bench: Bench) -> None:
    """PUT of 4 KiB over 64 connections, each acknowledged durable."""
    rates, syncs, p50, p99, server_cpu, client_cpu = [], [], [], [], [], []
    for _ in range(bench.runs):
        node = Node(bench.directory("small"))
        try:
            syncs.append(sync_rate(bench.scratch))
            os.sync()
            cpu = node.cpu_seconds()
            count = max(64, bench.scaled(50_000))
            found = run_json([http_load(), "put", "--port", str(node.port), "--count", str(count)], node.token)
            rates.append(found["files_per_second"])
            p50.append(found["p50_ms"])
            p99.append(found["p99_ms"])
            server_cpu.append((node.cpu_seconds() - cpu) / count * 1e6)
            client_cpu.append(found["client_cpu_seconds"] / count * 1e6)
        finally:
            node.stop()
    median = statistics.median
    bench.add("PUT 4 KiB, 64 connections, durable", rates, "files/s", (">=", 5000), fdatasync_per_s=median(syncs),
              p50_ms=median(p50), p99_ms=median(p99), server_cpu_us_a_file=median(server_cpu), client_cpu_us_a_file=median(client_cpu))


def large_put(bench: Bench) -> None:
    """Streamed PUT of 1 GiB against a handler that only hashes the body."""
    bare = Server([http_bare()], bench.scratch / "bare.log", r"listens at (\d+)")
    node = Node(bench.directory("large"))
    limits, rates, disk = [], [], []
    cpu: dict[str, list[float]] = {"bare": [], "node": []}

    def put(server: Server, url: str, token: str, file: Path, name: str) -> float:
        before = server.cpu_seconds()
        rate = curl(url, token, "-T", str(file))["up"] / 1e6
        cpu[name].append((server.cpu_seconds() - before) * 1e9 / file.stat().st_size)
        return rate

    try:
        for run in range(bench.runs + 1):
            # New bytes each time: a node stores the same ones once.
            file = random_file(bench.scratch / "large.bin", bench.scaled(GIB))
            os.sync()
            disk.append(disk_rate(bench.scratch, file.stat().st_size))
            limit = put(bare, f"http://127.0.0.1:{bare.port}/hash", "", file, "bare")
            found = put(node, f"{node.url}/files/large-{run}.bin", node.token, file, "node")
            # The first round warms up.
            if run > 0:
                limits.append(limit)
                rates.append(found)
            file.unlink()
        memory = node.memory()
    finally:
        node.stop()
        bare.stop()
    bench.add("PUT 1 GiB, durable", rates, "MB/s", (">=", 0.8), bare_handler=statistics.median(limits), disk=statistics.median(disk),
              ratio=statistics.median(rates) / statistics.median(limits), cpu_s_a_gb=statistics.median(cpu["node"]),
              bare_cpu_s_a_gb=statistics.median(cpu["bare"]), peak_rss_mb=memory["VmHWM"] / 1e6)


def large_get(bench: Bench) -> None:
    """Streamed GET of 1 GiB from the page cache."""
    size = bench.scaled(GIB)
    bare = Server([http_bare()], bench.scratch / "bare.log", r"listens at (\d+)")
    node = Node(bench.directory("get"))
    try:
        file = random_file(bench.scratch / "get.bin", size)
        curl(f"{node.url}/files/get.bin", node.token, "-T", str(file))
        file.unlink()
        os.sync()
        url = f"{node.url}/files/get.bin"
        curl(url, node.token)
        by_curl = [curl(url, node.token)["down"] / 1e9 for _ in range(bench.runs)]
        limit = [curl(f"http://127.0.0.1:{bare.port}/bytes/{size}", "")["down"] / 1e9 for _ in range(bench.runs)]
        bench.add("GET 1 GiB from page cache, curl", by_curl, "GB/s", (">=", 1.5), bytes_from_memory=statistics.median(limit))
        reader = [http_load(), "get", "--runs", str(bench.runs), "--port"]
        cpu = node.cpu_seconds()
        found = run_json([*reader, str(node.port), "/files/get.bin"], node.token)
        cpu = (node.cpu_seconds() - cpu) * 1e9 / size / bench.runs
        limit_found = run_json([*reader, str(bare.port), f"/bytes/{size}"], "")
        bench.add("GET 1 GiB from page cache, bare reader", found["gigabytes_per_second"], "GB/s", (">=", 1.5),
                  bytes_from_memory=statistics.median(limit_found["gigabytes_per_second"]), cpu_s_a_gb=cpu,
                  peak_rss_mb=node.memory()["VmHWM"] / 1e6)
    finally:
        node.stop()
        bare.stop()


def bulk_put(bench: Bench) -> None:
    """`pando put -r` of 50,000 files of 1 to 8 KiB."""
    count = bench.scaled(50_000)
    source = bench.scratch / "bulk"
    for number in range(count):
        folder = source / f"d{number % 500:03d}"
        if number < 500:
            folder.mkdir(parents=True)
        (folder / f"file-{number:06d}.dat").write_bytes(os.urandom(1024 + number * 7919 % 7168))
    rates = []
    for _ in range(bench.runs):
        node = Node(bench.directory("bulk"))
        try:
            os.sync()
            begin = time.perf_counter()
            node.command("put", "-r", f"{source}/.", "/bulk/")
            rates.append(count / (time.perf_counter() - begin))
            if (found := node.status()["files"]) != count:
                raise RuntimeError(f"{found} files arrived, not {count}")
            memory = node.memory()
        finally:
            node.stop()
    bench.add(f"pando put -r of {count} small files", rates, "files/s", (">=", 10_000), peak_rss_mb=memory["VmHWM"] / 1e6)


def _join(bench: Bench, first: Node) -> tuple[Node, float]:
    """A second node, and the seconds from its start until it has all of the first one's files."""
    invitation = first.invite()
    begin = time.perf_counter()
    second = Node(bench.directory("second"), "--join", first.url, "--join-token", invitation)
    try:
        while second.status()["root"] != first.status()["root"]:
            time.sleep(0.05)
            if time.perf_counter() - begin > 1800:
                raise RuntimeError("the second node did not catch up")
        return second, time.perf_counter() - begin
    except BaseException:
        second.stop()
        raise


def _noop(bench: Bench, count: int, first: Node, second: Node) -> None:
    for _ in range(2):
        second.trigger()
        first.trigger()
    times = []
    for _ in range(50):
        begin = time.perf_counter()
        second.trigger()
        times.append((time.perf_counter() - begin) * 1000)
    bench.add(f"sync of equal nodes, {count} files", times, "ms", ("<=", 10))


def first_sync(bench: Bench) -> None:
    """A new node takes 1 GiB from another."""
    size = bench.scaled(GIB)
    first = Node(bench.directory("first"))
    try:
        file = random_file(bench.scratch / "first.bin", size)
        curl(f"{first.url}/files/first.bin", first.token, "-T", str(file))
        file.unlink()
        os.sync()
        first.forget_peak()
        second, seconds = _join(bench, first)
        try:
            bench.add("first sync of 1 GiB", [size / seconds / 1e6], "MB/s", seconds=seconds)
            for name, node in (("sender", first), ("receiver", second)):
                memory = node.memory()
                bench.add(f"first sync of 1 GiB, peak of the {name}", [memory["VmHWM"] / 1e6], "MB", ("<=", 300),
                          anonymous_at_the_end_mb=memory["RssAnon"] / 1e6)
        finally:
            second.stop()
    finally:
        first.stop()


def noop(bench: Bench) -> None:
    """A sync of equal nodes with 1,000 files."""
    first = Node(bench.directory("first"))
    try:
        fill(first, 1000)
        second, _ = _join(bench, first)
        try:
            _noop(bench, 1000, first, second)
        finally:
            second.stop()
    finally:
        first.stop()


def many_files(bench: Bench) -> None:
    """500,000 files: the bulk routes, memory at rest after a restart, the first sync, and a sync of equal nodes."""
    count = bench.scaled(500_000)
    data = bench.directory("many")
    node = Node(data)
    try:
        begin = time.perf_counter()
        fill(node, count)
        bench.add(f"bulk routes, {count} files of 4 KiB", [count / (time.perf_counter() - begin)], "files/s",
                  peak_rss_mb=node.memory()["VmHWM"] / 1e6, note="a client in Python takes a part of the time")
    finally:
        node.stop()
    begin = time.perf_counter()
    node = Node(data)
    try:
        started = time.perf_counter() - begin
        time.sleep(3)
        memory = node.memory()
        bench.add(f"at rest with {count} files", [memory["VmRSS"] / 1e6], "MB", ("<=", 150),
                  anonymous_mb=memory["RssAnon"] / 1e6, start_seconds=started)
        after = ""
        items = 0
        begin = time.perf_counter()
        while after is not None:
            page = json.loads(node.request("GET", f"/files/?recursive=true&limit=1000{after}"))
            items += len(page["items"])
            after = f"&after={page['next']}" if page["next"] else None
        memory = node.memory()
        bench.add(f"after listing all of {count} files", [memory["VmRSS"] / 1e6], "MB", ("<=", 150),
                  anonymous_mb=memory["RssAnon"] / 1e6, items_per_second=items / (time.perf_counter() - begin))
        node.forget_peak()
        second, seconds = _join(bench, node)
        try:
            bench.add(f"first sync of {count} files", [count / seconds], "files/s", seconds=seconds,
                      sender_peak_mb=node.memory()["VmHWM"] / 1e6, receiver_peak_mb=second.memory()["VmHWM"] / 1e6,
                      receiver_anonymous_at_the_end_mb=second.memory()["RssAnon"] / 1e6)
            _noop(bench, count, node, second)
        finally:
            second.stop()
    finally:
        node.stop()


MEASUREMENTS: dict[str, Callable[[Bench], None]] = {
    "small-puts": small_puts,
    "large-put": large_put,
    "large-get": large_get,
    "bulk-put": bulk_put,
    "first-sync": first_sync,
    "noop": noop,
    "many-files": many_files,
}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="Benchmarks/http/run", description="Measures running nodes over HTTP on loopback.",
        epilog="The programs are taken from PANDO_PROGRAM, HTTP_LOAD_PROGRAM and HTTP_BARE_PROGRAM, or from where the builds put them.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which (default: all): {', '.join(MEASUREMENTS)}")
    parser.add_argument("--runs", type=int, default=3, help="how often each thing is measured (default: 3)")
    parser.add_argument("--scale", type=float, default=1.0, help="the share of the full sizes (default: 1)")
    parser.add_argument("--scratch", type=Path, help="where data is made, on the disk to be measured (default: the temporary directory)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures as JSON")
    options = parser.parse_args()
    for name in options.names:
        if name not in MEASUREMENTS:
            parser.error(f"{name!r} is none of {', '.join(MEASUREMENTS)}")
    for program in (pando, http_load, http_bare):
        program()
    for variable in [key for key in os.environ if key.startswith("PANDO_") and key != "PANDO_PROGRAM"]:
        del os.environ[variable]
    failed = False
    with tempfile.TemporaryDirectory(prefix="pando-http-", dir=options.scratch) as scratch:
        # The client's own notes stay out of the user's.
        os.environ["XDG_CONFIG_HOME"] = str(Path(scratch) / "config")
        os.environ["XDG_STATE_HOME"] = str(Path(scratch) / "state")
        bench = Bench(options, Path(scratch))
        for name in options.names or MEASUREMENTS:
            try:
                MEASUREMENTS[name](bench)
            except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
                failed = True
                print(f"{name}: {error}".replace(scratch, "SCRATCH"), file=sys.stderr)
    if options.json:
        document = {"date": date.today().isoformat(), "cores": os.cpu_count(), "scale": options.scale, "rows": bench.rows}
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
