"""Nodes of the real program, for the test scripts beside this file."""
import http.client, json, os, signal, ssl, subprocess, sys, time

PROGRAM = os.environ.get("PANDO_PROGRAM") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.build-release/release/pando")


def connection_to(url, data):
    """A connection to the node at a URL; over TLS, to the one whose certificate its data directory holds."""
    scheme, host = url.split("://")
    if scheme == "http":
        return http.client.HTTPConnection(host, timeout=60)
    return http.client.HTTPSConnection(host, timeout=60, context=ssl.create_default_context(cafile=data + "/tls-certificate.pem"))


class Node:
    """A node in a directory of its own. `prefix` is what its processes are started with, as `ip netns exec NAME`."""

    def __init__(self, work, name, arguments=(), prefix=(), host="127.0.0.1", port=0):
        self.name, self.data, self.prefix, self.host, self.port = name, os.path.join(work, name), list(prefix), host, port
        self.arguments = list(arguments)
        self.log = os.path.join(work, name + ".log")
        self.process = None
        self.start()

    def start(self):
        # The lines of earlier lives stand in front.
        lines = open(self.log).read().count("listens at") if os.path.exists(self.log) else 0
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PANDO_")}
        with open(self.log, "a") as log:
            self.process = subprocess.Popen(
                [*self.prefix, PROGRAM, "serve", "--data", self.data, "--host", self.host, "--port", str(self.port), *self.arguments],
                stdout=log, stderr=subprocess.STDOUT, env=environment)
        deadline = time.monotonic() + 60
        while True:
            text = open(self.log).read()
            if text.count("listens at") > lines:
                break
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"node {self.name} did not start:\n{text[-2000:]}")
            time.sleep(0.02)
        self.url = text.rsplit("listens at ", 1)[1].split()[0]
        self.port = int(self.url.rsplit(":", 1)[1])

    @property
    def is_running(self):
        return self.process.poll() is None

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """Ends it as an administrator would. Returns the exit code."""
        self.process.terminate()
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()
            return -1

    def command(self, *arguments, check=True):
        """Runs a command of the program on this node; its standard output."""
        result = subprocess.run([*self.prefix, PROGRAM, "--data", self.data, *arguments], capture_output=True, text=True)
        if check and result.returncode:
            raise SystemExit(f"pando {' '.join(arguments)} on {self.name}: {result.stderr}")
        return result.stdout.strip()

    def json(self, *arguments):
        return json.loads(self.command("--json", *arguments) or "null")

    def token(self):
        return subprocess.run([PROGRAM, "token", "--data", self.data], capture_output=True, text=True, check=True).stdout.strip()

    def memory(self):
        """Mebibytes that are resident, without mapped files."""
        for line in open(f"/proc/{self.process.pid}/status"):
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) / 1024
        return 0
