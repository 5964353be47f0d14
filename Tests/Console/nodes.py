"""Nodes of the built program, for tests of the console."""
import http.client, json, os, ssl, subprocess, tempfile, time

PROGRAM = os.path.abspath(os.environ.get("PANDO_PROGRAM") or os.path.join(os.path.dirname(__file__), "../../.build-release/release/pando"))


class Node:
    def __init__(self, work, name, *arguments):
        self.data, self.name, self.arguments = os.path.join(work, name), name, arguments
        self.out = open(os.path.join(work, name + ".out"), "w+")
        self.host = "127.0.0.1:0"
        self.start()
        self.page, self.proxy = self.url, None
        if os.environ.get("PANDO_CONSOLE_DEV") and self.scheme == "http":
            # The console as it is in the source tree, whatever the program was built with.
            script = os.path.join(os.path.dirname(__file__), "../../scripts/console-dev")
            self.proxy = subprocess.Popen([script, self.url, "0"], stdout=subprocess.PIPE, text=True)
            self.page = self.proxy.stdout.readline().strip().rstrip("/")
        self.root_key = next((word for word in self.text().split() if word.startswith("pando_")), None)
        self.token = subprocess.run([PROGRAM, "token", "--data", self.data], capture_output=True, text=True, check=True).stdout.strip()

    def start(self):
        """Where it was before, if it was."""
        began = self.text().count("listens at ")
        self.process = subprocess.Popen(
            [PROGRAM, "serve", "--data", self.data, "--port", self.host.split(":")[1], "--label", self.name, *self.arguments], stdout=self.out, stderr=self.out)
        self.url = wait_for(lambda: self._address(began), f"node {self.name} listens")
        self.scheme, self.host = self.url.split("://")

    def text(self):
        self.out.flush()
        with open(self.out.name) as file:
            return file.read()

    def _address(self, began):
        if self.process.poll() is not None:
            raise AssertionError(f"node {self.name} ended:\n{self.text()}")
        text = self.text()
        return text.rsplit("listens at ", 1)[1].split()[0] if text.count("listens at ") > began else None

    def call(self, method, path, body=None, headers=None, token=None):
        connection = (http.client.HTTPConnection(self.host, timeout=60) if self.scheme == "http"
                      else http.client.HTTPSConnection(self.host, timeout=60, context=ssl._create_unverified_context()))
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        connection.request(method, path, body, {"Authorization": "Bearer " + (token or self.token), **(headers or {})})
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        return answer, data

    def json(self, method, path, body=None, token=None):
        answer, data = self.call(method, path, body, token=token)
        assert answer.status < 300, f"{method} {path}: {answer.status} {data[:500]!r}"
        return json.loads(data) if data else None

    def put(self, path, body, **headers):
        answer, data = self.call("PUT", "/files" + path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        assert answer.status in (200, 201), f"{path}: {answer.status} {data[:500]!r}"

    def end(self):
        if self.proxy:
            self.proxy.terminate()
        self.stop()

    def kill(self):
        self.process.kill()
        self.process.wait(30)

    def stop(self):
        self.process.terminate()
        code = self.process.wait(30)
        assert code == 0, f"node {self.name} ended with {code}:\n{self.text()[-2000:]}"


def wait_for(condition, what, seconds=30):
    """Waits until a condition holds, and returns what it holds."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < deadline, f"waited {seconds} s in vain: {what}"
        time.sleep(0.02)


def pair(work):
    """Two members that sync when they are told to."""
    first = Node(work, "Berlin", "--manual")
    invitation = first.json("POST", "/sync/invitations", {"label": "Oslo"})["invitation"]
    second = Node(work, "Oslo", "--manual", "--join", first.url, "--join-token", invitation)
    return first, second


def sync(node):
    for report in node.json("POST", "/sync/trigger", {})["peers"]:
        assert report["ok"], report


def temporary():
    return tempfile.TemporaryDirectory(prefix="pando-console-")
