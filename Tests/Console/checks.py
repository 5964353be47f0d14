"""What the console must do, as a user meets it."""
import io, json, os, re, subprocess, tarfile, time, urllib.parse, zipfile
from PIL import Image
from pyzbar.pyzbar import decode
from selenium.webdriver.common.keys import Keys
from nodes import PROGRAM, Node, sync, wait_for
import samples

HERE = os.path.dirname(os.path.abspath(__file__))
PAGES = {"files": "#/files/", "conflicts": "#/conflicts/", "cluster": "#/cluster", "time": "#/time", "keys": "#/keys"}
TESTS = []


def test(function):
    TESTS.append(function)
    return function


def fresh(world, name):
    """A folder of the test's own, shown by a browser that is logged in with the root key."""
    browser = world.browser
    if not browser.run("return !!document.querySelector('.shell')"):
        browser.log_in(world.first, world.first.root_key)
    world.first.put(f"/{name}/", b"")
    browser.go(f"#/files/{name}")
    browser.find(".crumbs [aria-current]", name)
    return "/" + name


def accessible(browser, where):
    with open(os.path.join(HERE, "access.js")) as file:
        faults = browser.run(file.read())
    assert not faults, f"{where}:\n" + "\n".join(faults)


# MARK: Sessions


@test
def log_in_and_out(world):
    """A wrong key is refused, a right one opens the session, which outlives a reload and ends with the logout."""
    browser, node = world.browser, world.first
    browser.expected = ["401"]
    browser.open(node.page + "/")
    browser.find("#key")
    accessible(browser, "login")
    browser.type("#key", "pando_0123456789abcdef_" + "0" * 64)
    browser.click("form button.primary")
    browser.find("#login-error", "unknown")
    browser.log_in(node, node.root_key)
    assert "pando_" not in browser.driver.current_url
    assert browser.run("return document.cookie") == "", "a script can read the session's cookie"
    kept = browser.run("return JSON.stringify(localStorage) + JSON.stringify(sessionStorage)")
    assert "pando" not in kept and "eyJ" not in kept, f"a secret is kept: {kept}"
    browser.driver.refresh()
    browser.find(".state[data-state=live]")
    cookies = [cookie for cookie in browser.driver.get_cookies() if cookie["name"].startswith("pando-")]
    assert len(cookies) == 1 and cookies[0]["httpOnly"] and cookies[0]["sameSite"] == "Strict", cookies
    session = {"Cookie": f"{cookies[0]['name']}={cookies[0]['value']}", "Authorization": ""}

    def by_cookie(method, path, **headers):
        import http.client
        connection = http.client.HTTPConnection(node.host)
        connection.request(method, path, headers={"Cookie": session["Cookie"], **headers})
        return connection.getresponse().status

    assert by_cookie("GET", "/files/") == 200
    assert by_cookie("GET", "/files/", **{"Sec-Fetch-Site": "cross-site"}) == 401, "another site reads by the cookie"
    assert by_cookie("GET", "/files/", **{"Sec-Fetch-Site": "same-site"}) == 401, "another port reads by the cookie"
    for method, path in [("PUT", "/files/x"), ("DELETE", "/files/x"), ("PATCH", "/files/x"), ("POST", "/files/copy"), ("POST", "/auth/keys"), ("GET", "/auth/keys"), ("GET", "/sync/status"), ("GET", "/events")]:
        assert by_cookie(method, path) == 401, f"{method} {path} goes by the cookie alone"
    # A logout holds in every tab.
    browser.driver.switch_to.new_window("tab")
    browser.open(node.page + "/")
    browser.find(".state[data-state=live]")
    browser.click("button[aria-label='Log out']")
    browser.find("#key")
    browser.driver.close()
    browser.driver.switch_to.window(browser.driver.window_handles[0])
    browser.find("#login-error", "session has ended")
    assert by_cookie("GET", "/files/") == 401, "the session goes on after the logout"
    browser.driver.refresh()
    browser.find("#key")


@test
def long_session(world):
    """A session goes on when a token has ended and when the node was restarted; a logout that the node did not hear of holds all the same."""
    browser, node = world.browser, world.first
    fresh(world, "week")
    node.put("/week/tree.png", samples.picture((90, 160, 220), 40))
    # The next request shows a token that the node does not take, as one that has ended.
    browser.run("""const send = fetch; window.renewals = 0;
        let isStale = true;
        window.fetch = (url, options) => {
          if (url === '/auth/session') window.renewals += 1;
          if (isStale && options.headers.Authorization) { isStale = false; options = {...options, headers: {...options.headers, Authorization: 'Bearer stale'}}; }
          return send(url, options);
        }""")
    browser.expected = ["401", "ERR_CONNECTION", "ERR_EMPTY_RESPONSE", "ERR_INCOMPLETE", "502"]
    browser.go("#/keys")
    browser.find("td", "root")
    assert browser.run("return window.renewals") == 1, browser.run("return window.renewals")
    node.stop()
    browser.find(".state[data-state=offline]", seconds=30)
    node.start()
    browser.find(".state[data-state=live]", seconds=40)
    browser.driver.refresh()
    browser.go("#/files/week")
    browser.row("tree.png").find_element("css selector", ".title").click()
    browser.wait(lambda: browser.run("return document.querySelector('.stage img')?.naturalWidth") == 320, "the picture is there")
    browser.keys(Keys.ESCAPE)
    node.stop()
    browser.click("button[aria-label='Log out']")
    browser.find("#key")
    node.start()
    browser.driver.refresh()
    browser.find("#key")
    assert not [cookie for cookie in browser.driver.get_cookies() if cookie["name"].startswith("pando-")], "the cookie is still there"
    assert browser.run("return localStorage.length") == 0, browser.run("return JSON.stringify(localStorage)")


@test
def first_page(world):
    """The first page is small and quick; nothing comes from elsewhere."""
    browser, node = world.browser, world.first
    browser.log_in(node, node.root_key)
    paints = []
    for _ in range(5):
        browser.driver.refresh()
        browser.find("file-list, .empty")
        paints.append(browser.run("return performance.getEntriesByType('paint').find((entry) => entry.name === 'first-contentful-paint').startTime"))
    browser.driver.execute_cdp_cmd("Network.clearBrowserCache", {})
    browser.driver.refresh()
    browser.find("file-list, .empty")
    loads = browser.run("""return [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
        .filter((entry) => !/\\/(events|files|sync|auth)/.test(entry.name)).map((entry) => [entry.name, entry.transferSize, entry.decodedBodySize])""")
    wire, plain = sum(load[1] for load in loads), sum(load[2] for load in loads)
    others = [load[0] for load in loads if not load[0].startswith(node.page + "/")]
    assert not others, f"from elsewhere: {others}"
    print(f"        first page: {len(loads)} requests, {wire / 1000:.1f} KB over the wire, {plain / 1000:.1f} KB plain; "
          f"first paint {sorted(paints)[2]:.0f} ms (median of 5, {min(paints):.0f} to {max(paints):.0f})")
    assert 0 < wire < 100_000, f"{wire} bytes over the wire"
    assert plain < 100_000, f"{plain} bytes for browsers that do not know zstd"


# MARK: Files


@test
def upload_and_change(world):
    """Three files and a folder go up; they are shown, renamed, moved, copied, deleted, and brought back."""
    browser, node = world.browser, world.first
    base = fresh(world, "desk")
    local = os.path.join(world.work, "local")
    samples.write(local, {
        "a.txt": "hello\n", "grove.md": samples.MARKDOWN, "tree.png": samples.picture((120, 160, 220), 40),
        "album/one.png": samples.picture((200, 120, 90), 20), "album/deep/two.txt": "two", "album/tone.wav": samples.sound(), "album/paper.pdf": samples.PDF})
    pickers = browser.driver.find_elements("css selector", "main input[type=file]")
    pickers[0].send_keys("\n".join(os.path.join(local, name) for name in ("a.txt", "grove.md", "tree.png")))
    browser.find(".uploads", "3 files uploaded")
    browser.shoot("uploads")
    pickers[1].send_keys(os.path.join(local, "album"))
    browser.find(".uploads", "4 files uploaded")
    browser.click(".uploads button", "Close")
    browser.wait(lambda: browser.names() == ["album", "a.txt", "grove.md", "tree.png"], "the list shows them")
    for name in ("a.txt", "album/deep/two.txt", "album/one.png"):
        _, body = node.call("GET", f"/files{base}/{name}")
        assert body == open(os.path.join(local, name), "rb").read(), name
    kinds = {item["name"]: item["content_type"] for item in node.json("GET", f"/files{base}")["items"]}
    assert kinds == {"album": None, "a.txt": "text/plain", "grove.md": "text/markdown", "tree.png": "image/png"}, kinds

    # The same names again: the question, and each of its answers.
    browser.expected = ["412"]
    samples.write(local, {"a.txt": "changed\n"})
    for answer, expected in [("Skip", b"hello\n"), ("Keep both", b"hello\n"), ("Replace", b"changed\n")]:
        pickers[0].send_keys(os.path.join(local, "a.txt"))
        browser.click("dialog button", answer)
        browser.find(".uploads", "1 file uploaded")
        assert node.call("GET", f"/files{base}/a.txt")[1] == expected, answer
        browser.click(".uploads button", "Close")
    assert node.call("GET", f"/files{base}/a%20(2).txt")[1] == b"changed\n"
    browser.row("a (2).txt")

    # Dropped, as by a hand: a file and a folder.
    box = browser.run("const box = document.querySelector('.rows').getBoundingClientRect(); return [box.x + 200, box.y + 200]")
    for kind in ("dragEnter", "dragOver", "drop"):
        browser.driver.execute_cdp_cmd("Input.dispatchDragEvent", {
            "type": kind, "x": box[0], "y": box[1], "data": {"items": [], "files": [os.path.join(local, "album"), os.path.join(local, "tree.png")], "dragOperationsMask": 1}})
        if kind == "dragOver":
            browser.find(".drop", "desk")
    for _ in range(5):
        browser.wait(lambda: browser.all("dialog[open]") or browser.all(".uploads", "uploaded"), "a question or the end")
        if not browser.all("dialog[open]"):
            break
        browser.click("dialog label", "all others")
        browser.click("dialog button", "Skip")
        browser.gone("dialog[open]")
    browser.find(".uploads", "5 files uploaded")
    browser.click(".uploads button", "Close")

    # By the keyboard alone: select, rename, a folder, and out again.
    browser.row("a.txt")
    browser.run("document.querySelector('.rows').focus()")
    browser.keys(Keys.HOME, Keys.ARROW_DOWN)
    assert browser.run("return document.getElementById(document.querySelector('.rows').getAttribute('aria-activedescendant')).querySelector('.title').textContent") == browser.names()[1]
    browser.select("a.txt")
    browser.run("document.querySelector('.rows').focus()")
    browser.keys(Keys.F2)
    browser.type("#answer", "../b")
    browser.keys(Keys.ENTER)
    browser.find("#answer-error", "no slash")
    accessible(browser, "rename")
    browser.type("#answer", "renamed é.txt")
    browser.keys(Keys.ENTER)
    browser.gone("dialog[open]")
    browser.row("renamed é.txt")
    browser.click(".notice button", "Undo")
    browser.find(".notice", "Undone for “a.txt”")
    browser.wait(lambda: "a.txt" in browser.names() and "renamed é.txt" not in browser.names(), "the name is the old one")
    browser.run("document.querySelector('.rows').focus()")
    browser.keys(Keys.HOME, Keys.ENTER)
    browser.find(".crumbs [aria-current]", "album")
    browser.row("one.png")
    browser.run("document.querySelector('.rows').focus()")
    browser.keys(Keys.BACKSPACE)
    browser.find(".crumbs [aria-current]", "desk")

    # A folder, and a move and a copy into it.
    browser.click("button[aria-label='New folder']")
    browser.type("#answer", "attic")
    browser.keys(Keys.ENTER)
    browser.row("attic")
    for label, button, source in [("Move", "Move here", "tree.png"), ("Copy", "Copy here", "grove.md")]:
        browser.select(source)
        browser.click(f".strip button[aria-label={label}]")
        browser.click("dialog .branch button[aria-label='Open desk']")
        browser.click("dialog .branch button", "attic")
        browser.find("dialog", "Chosen: /desk/attic")
        accessible(browser, "folder picker")
        browser.click("dialog .actions button", button)
        browser.gone("dialog[open]")
    wait_for(lambda: [item["name"] for item in node.json("GET", f"/files{base}/attic")["items"]] == ["grove.md", "tree.png"], "both are in the attic")
    browser.wait(lambda: "tree.png" not in browser.names(), "what was moved is gone from the list")
    # Both taken back, and done again, for what follows.
    browser.click(".notice", "copied")
    for text in ("copied", "moved"):
        notice = browser.find(".notice", text)
        notice.find_element("css selector", ".link").click()
        browser.gone(".notice", text)
    wait_for(lambda: node.json("GET", f"/files{base}/attic")["items"] == [], "the attic is empty again")
    browser.row("tree.png")
    browser.row("grove.md")
    node.json("PATCH", f"/files{base}/tree.png", {"to": f"{base}/attic/tree.png"})
    browser.wait(lambda: "tree.png" not in browser.names(), "it is gone again")

    # Deleted, and brought back: a file and a folder at once.
    browser.run("document.querySelector('file-list').selectAll(false)")
    for name in ("attic", "grove.md"):
        browser.row(name).find_element("css selector", "input").click()
    browser.find(".strip", "2 selected")
    browser.click(".strip button[aria-label=Delete]")
    browser.find(".notice", "2 items deleted")
    browser.wait(lambda: "attic" not in browser.names() and "grove.md" not in browser.names(), "they are gone")
    assert node.call("GET", f"/files{base}/attic/tree.png")[0].status == 404
    browser.click(".notice button", "Undo")
    browser.find(".notice", "2 items are back")
    browser.row("attic")
    browser.row("grove.md")
    assert node.call("GET", f"/files{base}/attic/tree.png")[1] == open(os.path.join(local, "tree.png"), "rb").read()


def choose(browser, path):
    """Gives a file to the page, and counts the bytes that go up from here on."""
    browser.run("""if (window.sent === undefined) { const send = XMLHttpRequest.prototype.send; XMLHttpRequest.prototype.send = function (body) { window.sent += body?.size ?? 0; return send.call(this, body) } }
        window.sent = 0""")
    browser.driver.find_elements("css selector", "main input[type=file]")[0].send_keys(path)


def share(browser):
    """Percents of the one upload that is under way."""
    return browser.run("return parseInt(document.querySelector('.uploads li span:last-child')?.textContent) || 0")


@test
def upload_goes_on(world):
    """A large file goes on by its chunks after a pause, the end of the tab, a reload and the end of the node, also with a key of few rights and on a page without TLS."""
    browser, node = world.browser, world.first
    base = fresh(world, "large")
    size, batch = 32 << 20, 8 << 20
    content = os.urandom(size)
    path = os.path.join(world.work, "film.mov")
    with open(path, "wb") as file:
        file.write(content)
    other = os.path.join(world.work, "other.mov")
    with open(other, "wb") as file:
        file.write(content[:size // 2] + b"inserted" + content[size // 2:])
    browser.expected = ["ERR_CONNECTION", "ERR_EMPTY_RESPONSE", "ERR_INCOMPLETE", "502", "412", "Cross-Origin-Opener-Policy"]
    page = node.page.replace("127.0.0.1", "studio.test")
    rules = [{"path": f"{base}/team/**", "allow": ["read", "list", "write"]}]
    narrow = node.json("POST", "/auth/keys", {"label": "narrow", "rules": rules})["api_key"]
    for key, where, at in [(node.root_key, f"{base}", node.page), (narrow, f"{base}/team", page)]:
        node.put(f"{where}/", b"")
        browser.log_in(node, key, at)
        browser.go(f"#/files{where}")
        browser.find(".crumbs [aria-current]", where.rsplit("/", 1)[1])
        assert browser.run("return isSecureContext") == (at == node.page)
        # A pause.
        browser.throttle(16 << 20)
        choose(browser, path)
        browser.wait(lambda: share(browser) >= 25, "a quarter is sent")
        browser.click(".uploads button", "Pause")
        browser.find(".uploads .note", "not sent again")
        before = share(browser)
        if at == page:
            # The end of the tab.
            browser.leave_tab()
            browser.open(page + "/")
        else:
            browser.click(".uploads button", "Resume")
            browser.wait(lambda: share(browser) >= before + 10, "it goes on")
            assert browser.run("return window.sent") < size, "it began anew"
            # A reload.
            browser.driver.refresh()
            browser.find(".notice", "not sent again")
        browser.find(".state[data-state=live]")
        browser.go(f"#/files{where}")
        browser.find(".crumbs [aria-current]", where.rsplit("/", 1)[1])
        browser.throttle(16 << 20)
        choose(browser, path)
        browser.wait(lambda: share(browser) >= 60, "more is sent")
        if at == node.page:
            # The end of the node: what it had got is not sent again, but for what was under way.
            node.kill()
            browser.find(".uploads", "Waiting for the node")
            node.start()
        browser.throttle(0)
        browser.find(".uploads", "1 file uploaded", seconds=60)
        sent = browser.run("return window.sent")
        assert sent <= size * (1 - before / 100) + 2 * batch, f"{sent} bytes were sent after {before} % had arrived"
        print(f"        with {'all rights' if at == node.page else 'few rights, without TLS'}: {before} % were there, {sent / size * 100:.0f} % went up after")
        browser.click(".uploads button", "Close")
        assert node.call("GET", f"/files{where}/film.mov")[1] == content
        # The same again is seen to be there; a question comes only for another content.
        choose(browser, path)
        browser.find(".uploads", "1 file uploaded", seconds=60)
        assert not browser.all("dialog[open]") and browser.run("return window.sent") == 0
        browser.click(".uploads button", "Close")
    item = node.json("GET", f"/files{base}")["items"]
    whole = next(item for item in item if item["name"] == "film.mov")
    node.put("/large/whole.mov", content)
    again = next(item for item in node.json("GET", f"/files{base}")["items"] if item["name"] == "whole.mov")
    assert whole["content_hash"] == again["content_hash"], "the page cuts in other places than the node"
    assert whole["content_type"] == again["content_type"] == "video/quicktime"
    # Of an edited file, what is new goes up.
    browser.log_in(node, node.root_key)
    browser.go(f"#/files{base}")
    browser.row("whole.mov")
    choose(browser, other)
    browser.find(".uploads", "1 file uploaded", seconds=60)
    assert browser.run("return window.sent") < 4 << 20, browser.run("return window.sent")
    browser.click(".uploads button", "Close")
    assert node.call("GET", f"/files{base}/other.mov")[1] == content[:size // 2] + b"inserted" + content[size // 2:]


@test
def previews(world):
    """Pictures, sound, documents and texts are shown; the details tell hash, size, node and history."""
    browser, node = world.browser, world.first
    base = fresh(world, "shown")
    for name, content in {"tree.png": samples.picture((120, 160, 220), 40), "tone.wav": samples.sound(), "paper.pdf": samples.PDF, "grove.md": samples.MARKDOWN,
                          "long.txt": "line\n" * 300_000, "blob.bin": bytes(range(256)) * 10, "latin.txt": "gr\xfcn".encode("latin-1")}.items():
        node.put(f"{base}/{name}", content)
    node.put(f"{base}/tree.png", samples.picture((220, 160, 120), 40))

    def shown(name):
        browser.row(name).find_element("css selector", ".title").click()
        browser.find(".viewer h2", name)

    browser.row("tree.png")
    shown("tree.png")
    browser.wait(lambda: browser.run("return document.querySelector('.stage img')?.naturalWidth") == 320, "the picture is there")
    accessible(browser, "viewer")
    browser.shoot("preview")
    browser.keys(Keys.ESCAPE)
    shown("tone.wav")
    browser.wait(lambda: browser.run("return document.querySelector('.stage audio')?.duration") == 2, "the sound is there")
    browser.keys(Keys.ESCAPE)
    shown("paper.pdf")
    browser.find(".stage iframe")
    browser.keys(Keys.ESCAPE)
    # Where the document's own viewer has the focus, it has the keys.
    browser.run("document.querySelector('.viewer')?.close()")
    shown("grove.md")
    browser.find(".stage .prose h2", "Grove")
    links = browser.run("return [...document.querySelectorAll('.prose a')].map((link) => link.href)")
    assert links == ["https://example.org/"], links
    assert browser.run("return document.querySelectorAll('.prose img, .prose script').length") == 0
    browser.click(".viewer button", "Source")
    browser.find(".stage pre", "# Grove")
    browser.keys(Keys.ESCAPE)
    shown("long.txt")
    browser.find(".stage", "The first 524 KB of 1.5 MB")
    browser.keys(Keys.ESCAPE)
    shown("latin.txt")
    browser.find(".stage pre", "grün")
    browser.keys(Keys.ESCAPE)
    shown("blob.bin")
    browser.find(".stage", "No preview")
    browser.keys(Keys.ARROW_RIGHT)
    browser.gone(".viewer h2", "blob.bin")
    browser.keys(Keys.ESCAPE)

    browser.select("tree.png")
    browser.click("button[aria-label=Details]")
    browser.find(".details dd", "Berlin")
    item = next(item for item in node.json("GET", f"/files{base}")["items"] if item["name"] == "tree.png")
    browser.find(".details code", item["content_hash"])
    browser.wait(lambda: len(browser.all(".history li")) == 2, "the history has both versions")
    accessible(browser, "details")
    browser.shoot("details")
    browser.click(".history button", "Restore")
    browser.wait(lambda: node.call("GET", f"/files{base}/tree.png")[1] == samples.picture((120, 160, 220), 40), "the first version is back")
    browser.wait(lambda: len(browser.all(".history li")) == 3, "the history has the new version")
    browser.click(".details button[aria-label=Close]")


@test
def sort_and_search(world):
    """The list is sorted by each column; a search looks below, by a part of the name or a pattern."""
    browser, node = world.browser, world.first
    base = fresh(world, "heap")
    for name, size in {"b10.txt": 3, "b9.txt": 2, "c.log": 1, "deep/er/b11.txt": 9}.items():
        node.put(f"{base}/{name}", b"x" * size)
    browser.wait(lambda: browser.names() == ["deep", "b9.txt", "b10.txt", "c.log"], "sorted by name, numbers as numbers")
    browser.click(".columns button", "Size")
    browser.wait(lambda: browser.names() == ["deep", "c.log", "b9.txt", "b10.txt"], "sorted by size")
    browser.click(".columns button", "Size")
    browser.wait(lambda: browser.names() == ["deep", "b10.txt", "b9.txt", "c.log"], "the other way round")
    browser.click(".columns button", "Name")
    browser.find("body").send_keys("/")
    browser.type(".search-input", "b1")
    browser.wait(lambda: browser.names() == ["b10.txt", "b11.txt"], "both are found")
    browser.find(".where", "/heap/deep/er")
    browser.type(".search-input", "*.log")
    browser.wait(lambda: browser.names() == ["c.log"], "the pattern is found")
    browser.type(".search-input", "nothing at all")
    browser.find(".empty", "Nothing matches")
    browser.shoot("search-empty")
    browser.find(".search-input").send_keys(Keys.ESCAPE)
    browser.wait(lambda: len(browser.names()) == 4, "all are there again")
    # What others write shows by itself.
    node.put(f"{base}/new.txt", b"new")
    browser.row("new.txt")


@test
def archives(world):
    """Folders and files come as one ZIP or TAR that others read: names, modes, links, times, and sizes that need 64 bits."""
    browser, node = world.browser, world.first
    base = fresh(world, "packed")
    long = "/".join(["a-rather-long-name-of-a-folder"] * 6)
    files = {"plain.txt": b"plain\n" * 9000, "größe ☂.txt": b"umbrella", f"{long}/end.bin": os.urandom(700_000), "run.sh": b"#!/bin/sh\n", "none.txt": b""}
    for name, content in files.items():
        node.put(f"{base}/in/{urllib.parse.quote(name)}", content, **({"Pando_Executable": "true"} if name == "run.sh" else {}), Pando_Modified_At="2020-02-03T04:05:06.000Z")
    node.put(f"{base}/in/hollow/", b"")
    node.put(f"{base}/other.txt", b"not packed")
    node.put(f"{base}/beside.txt", b"beside")
    for name in ("in", "beside.txt"):
        browser.row(name).find_element("css selector", "input").click()
    browser.find(".strip", "2 selected")
    expected = {f"in/{name}": content for name, content in files.items()} | {"beside.txt": b"beside"}
    for kind in ("zip", "tar"):
        browser.click(".strip button[aria-label=Download]")
        browser.click(".menu-list button", kind.upper())
        path = wait_for(lambda: next((os.path.join(world.downloads, name) for name in os.listdir(world.downloads) if name.endswith("." + kind)), None), f"the {kind} is saved")
        if kind == "zip":
            with zipfile.ZipFile(path) as archive:
                assert archive.testzip() is None
                found = {info.filename: archive.read(info) for info in archive.infolist() if not info.is_dir()}
                assert {info.filename for info in archive.infolist() if info.is_dir()} >= {"in/", "in/hollow/"}
                assert archive.getinfo("in/run.sh").external_attr >> 16 == 0o100755
                assert archive.getinfo("in/plain.txt").date_time == (2020, 2, 3, 4, 5, 6)
        else:
            with tarfile.open(path) as archive:
                found = {member.name: archive.extractfile(member).read() for member in archive if member.isfile()}
                assert archive.getmember("in/hollow").isdir()
                assert archive.getmember("in/run.sh").mode == 0o755
                assert archive.getmember("in/plain.txt").mtime == 1580702706
        assert found == expected, (kind, {name: len(content) for name, content in found.items()})
    # Rules, and what is no order.
    key = node.json("POST", "/auth/keys", {"label": "half", "rules": [{"path": f"{base}/in/{urllib.parse.quote('run.sh')}", "allow": ["list", "read"]}, {"path": f"{base}/in", "allow": ["list"]}]})["api_key"]
    token = json.loads(node.call("POST", "/auth/token", {"api_key": key})[1])["token"]
    order = node.json("POST", "/archives", {"paths": [f"{base}/in"]}, token=token)
    answer, body = node.call("GET", order["url"], token=token)
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert [info.filename for info in archive.infolist() if not info.is_dir()] == ["in/run.sh"], archive.namelist()
    assert node.call("GET", order["url"])[0].status == 404, "an order is fetched with another key"
    assert node.call("POST", "/archives", {"paths": [f"{base}/other.txt"]}, token=token)[0].status == 404
    assert node.call("POST", "/archives", {"paths": []})[0].status == 400
    assert node.call("POST", "/archives", {"paths": ["/x"], "format": "rar"})[0].status == 400
    assert node.call("GET", "/archives/0123/x.zip")[0].status == 404


@test
def hostile(world):
    """Nothing that can be named or uploaded runs in the console, nor in a page of its origin."""
    browser, node = world.browser, world.first
    base = fresh(world, "hostile")
    browser.expected = ["Content Security Policy", "requires 'Trusted", "sandboxed", "Blocked script execution", "ERR_ABORTED", "/x - Failed to load", "Not allowed to load"]
    for name in samples.HOSTILE_NAMES:
        node.put(f"{base}/{urllib.parse.quote(name, safe='')}", b"x", Content_Type="text/plain")
    node.put(f"{base}/page.html", samples.HTML)
    node.put(f"{base}/drawing.svg", samples.SVG)
    node.put(f"{base}/code.js", samples.SCRIPT)
    node.put(f"{base}/lying.png", samples.HTML, Content_Type="image/png")
    node.put(f"{base}/lying.txt", samples.HTML, Content_Type="text/html")
    node.put(f"{base}/feed.xml", '<?xml version="1.0"?><x xmlns="http://www.w3.org/1999/xhtml"><script>' + "window.owned=1</script></x>")
    names = browser.wait(lambda: len(browser.names()) == len(samples.HOSTILE_NAMES) + 6 and browser.names(), "all names are there")
    assert set(samples.HOSTILE_NAMES) <= set(names), names
    owned = "return window.owned || document.title.includes('owned') || document.querySelectorAll('main script, main img[src=x]').length"
    browser.click("button[aria-label=Details]")
    for name in names:
        browser.select(name)
        browser.find(".details h2")
    browser.click(".details button[aria-label=Close]")
    for name in names:
        browser.row(name).find_element("css selector", ".title").click()
        browser.find(".viewer")
        browser.gone(".stage .spinner")
        assert not browser.run(owned), name
        browser.keys(Keys.ESCAPE)
        browser.gone(".viewer")
    for name in samples.HOSTILE_NAMES[:2]:
        browser.select(name)
        browser.click(".strip button[aria-label=Rename]")
        browser.find("dialog #answer")
        browser.keys(Keys.ESCAPE)
        browser.gone("dialog[open]")
    browser.type(".search-input", "<img")
    browser.wait(lambda: browser.names() == [samples.HOSTILE_NAMES[0]], "found by its name")
    assert not browser.run(owned)
    # As pages of their own, as frames, as scripts and as styles of the console.
    for name in ("page.html", "drawing.svg", "lying.txt", "feed.xml", "lying.png", "code.js"):
        answer, _ = node.call("GET", f"/files{base}/{name}")
        policy = answer.getheader("Content-Security-Policy")
        assert policy.startswith("sandbox; default-src 'none'") and "allow-scripts" not in policy, (name, policy)
        assert answer.getheader("X-Content-Type-Options") == "nosniff"
        if name not in ("lying.png",):
            assert answer.getheader("Content-Disposition") == "attachment", name
        browser.driver.get(f"{node.page}/files{base}/{name}")
        assert not browser.run("return window.owned || document.title === 'owned'"), name
        browser.driver.get(node.page + "/")
        browser.find(".shell")
        result = browser.run_async("""const [url, done] = arguments;
            const script = Object.assign(document.createElement('script'), {async: true});
            const frame = document.createElement('iframe');
            try { script.src = url } catch { /* the page's policy knows no trusted URLs */ }
            frame.src = url;
            document.body.append(script, frame);
            setTimeout(() => done(!!window.owned || document.title.includes('owned')), 150)""", f"/files{base}/{name}")
        assert not result, f"{name} ran in the console"
    assert not browser.run_async("const done = arguments[0]; try { document.body.innerHTML = '<b>x</b>'; done(true) } catch { done(false) }"), "markup can be made of text"
    page, _ = node.call("GET", "/")
    policy = page.getheader("Content-Security-Policy")
    assert "unsafe" not in policy and "frame-ancestors 'none'" in policy and "default-src 'none'" in policy, policy
    again = node.call("GET", "/")[0].getheader("Content-Security-Policy")
    assert again != policy, "the nonce is the same twice"
    browser.driver.refresh()
    browser.find(".shell")


# MARK: Conflicts


def conflict(world, path, first, second, **headers):
    """Two versions of a path that do not know of each other; the second node's is current, on both."""
    world.first.put(path, b"before", **headers)
    sync(world.second)
    for node, content in [(world.first, first), (world.second, second)]:
        if content is None:
            assert node.call("DELETE", "/files" + path)[0].status == 204
        else:
            node.put(path, content, **headers)
    sync(world.second)


@test
def conflicts(world):
    """A conflict shows by itself, is compared and picked, undone and picked again; both nodes agree."""
    browser, first, second = world.browser, world.first, world.second
    fresh(world, "meet")
    browser.go("#/conflicts/")
    browser.find(".empty", "No conflicts")
    browser.shoot("conflicts-empty")
    conflict(world, "/meet/plan.png", samples.picture((150, 190, 225), 40), samples.picture((225, 180, 150), 200))
    browser.find(".pill", "1 conflict")
    browser.find(".nav .badge", "1")
    browser.find(".choices a", "plan.png")
    browser.find(".why", "Oslo after Berlin")
    browser.find(".version.current", "Oslo")
    browser.wait(lambda: browser.run("return [...document.querySelectorAll('.compare img')].filter((image) => image.naturalWidth === 320).length") == 2, "both pictures are there")
    browser.shoot("compare-side")
    for mode in ("Swipe", "Onion"):
        browser.click(".segmented button", mode)
        slider = browser.find("main input[type=range]")
        slider.send_keys(Keys.ARROW_LEFT * 10)
        browser.shoot("compare-" + mode.lower())
        accessible(browser, mode)
    browser.click(".segmented button", "Difference")
    browser.find("p", "of the pixels differ")
    browser.shoot("compare-difference")

    conflict(world, "/meet/plan.txt", b"one\ntwo\nthree\nfour\n", b"one\n2\nthree\nfour\nfive\n")
    browser.click(".choices a", "plan.txt")
    browser.find(".diff .gone", "2")
    browser.find(".diff .added", "two")
    accessible(browser, "difference of texts")
    browser.shoot("compare-text")
    browser.find(".version:not(.current)", "Berlin")
    browser.click(".version button", "Pick this")
    browser.find(".notice", "is settled")
    browser.find(".pill", "1 conflict")
    assert first.call("GET", "/files/meet/plan.txt")[1] == b"one\ntwo\nthree\nfour\n"
    sync(second)
    assert second.call("GET", "/files/meet/plan.txt")[1] == b"one\ntwo\nthree\nfour\n"
    assert len(second.json("GET", "/sync/conflicts")["items"]) == 1

    browser.click(".notice button", "Undo")
    browser.find(".notice", "The pick is undone")
    browser.find(".pill", "2 conflicts")
    sync(second)
    for node in (first, second):
        item = next(item for item in node.json("GET", "/sync/conflicts")["items"] if item["path"] == "/meet/plan.txt")
        assert node.call("GET", "/files/meet/plan.txt")[1] == b"one\n2\nthree\nfour\nfive\n"
        assert node.call("GET", "/files" + urllib.parse.quote(item["losers"][0]["path"]))[1] == b"one\ntwo\nthree\nfour\n"

    # One that was changed, one that was deleted; and all under a folder at once.
    conflict(world, "/meet/gone.txt", None, b"still here")
    browser.click(".choices a", "gone.txt")
    browser.find(".why", "a change beats a deletion")
    browser.click("button", "Pick for a folder")
    browser.find("dialog", "3 conflicts would be settled")
    accessible(browser, "pick for a folder")
    browser.shoot("pick-folder")
    browser.click("dialog label", "The other versions")
    browser.click("dialog .actions button", "Settle")
    browser.find(".notice", "3 conflicts settled")
    browser.find(".empty", "No conflicts")
    sync(second)
    assert first.json("GET", "/sync/conflicts")["items"] == second.json("GET", "/sync/conflicts")["items"] == []
    for node in (first, second):
        assert node.call("GET", "/files/meet/plan.png")[1] == samples.picture((150, 190, 225), 40)
        assert node.call("GET", "/files/meet/gone.txt")[0].status == 404
    browser.click(".notice button", "Undo")
    browser.find(".pill", "3 conflicts")
    # A write since then keeps a pick from being undone.
    answer = first.json("POST", "/sync/conflicts/meet/plan.txt", {"pick": "winner"})
    first.put("/meet/plan.txt", b"later")
    assert first.call("POST", "/sync/conflicts/meet/plan.txt", {"undo": answer["undo"]})[0].status == 409
    assert first.call("GET", "/files/meet/plan.txt")[1] == b"later"


# MARK: Cluster


@test
def cluster(world):
    """Members with their state and clocks; an invitation as text and as a code that a reader reads; what is synced, edited with a look at it."""
    browser, node = world.browser, world.first
    fresh(world, "grove")
    node.put("/grove/a.txt", b"x" * 1000)
    sync(node)
    browser.go("#/cluster")
    browser.find("section h2", "Oslo")
    browser.find(".state", "In touch")
    browser.find(".pill", "in step")
    browser.wait(lambda: browser.run("return document.querySelector('live-chart path:last-of-type').getAttribute('d')?.length > 20"), "the chart moves")
    browser.find(".figures", "Complete copies\n2 of 2")
    browser.find(".figures", "Verified copies\n0 of 2")
    browser.find(".figures", "Last scrub")
    browser.click("button", "Verify copies")
    browser.find(".notice", "2 of 2 members have read and checked a complete copy")
    browser.find(".figures", "Verified copies\n2 of 2")
    browser.find("section dd", "every byte verified")
    browser.click("button", "Invite a node")
    browser.type("#invite-label", "Lisbon")
    accessible(browser, "invite")
    browser.click("dialog button", "Make invitation")
    browser.find("dialog", "It works once")
    invitation = browser.find("dialog .copyable code").text
    assert invitation.startswith("pandoinv_")
    path = browser.run("return document.querySelector('.qr path').getAttribute('d')")
    size = int(browser.run("return document.querySelector('.qr svg').getAttribute('viewBox')").split()[2])
    code = Image.new("L", (size, size), 255)
    for x, y in re.findall(r"M(\d+) (\d+)h1v1h-1z", path):
        code.putpixel((int(x), int(y)), 0)
    read = decode(code.resize((size * 6, size * 6), Image.NEAREST))
    assert [item.data.decode() for item in read] == [invitation], read
    browser.shoot("invitation")
    accessible(browser, "invitation")
    browser.click("dialog .actions button", "Close")
    browser.click("section button", "Synced paths")
    browser.find("dialog", "Covers")
    browser.type("#paths", "/grove/**")
    browser.find("#paths-cover", "Covers 1 file (1 KB)")
    accessible(browser, "what is synced")
    browser.click("dialog .actions button", "Save")
    browser.find("section dd", "/grove/**")
    assert node.json("GET", "/sync/peers")["items"][0]["sync_paths"] == ["/grove/**"]
    browser.click("section button", "Synced paths")
    browser.type("#paths", Keys.BACKSPACE)
    browser.click("dialog .actions button", "Save")
    browser.find("section dd", "everything")


@test
def codes(world):
    """Codes of all versions are read by a decoder that is not ours."""
    out = subprocess.run(["node", os.path.join(HERE, "qr.mjs")], capture_output=True, text=True, check=True).stdout
    for item in json.loads(out):
        size = len(item["rows"]) + 8
        image = Image.new("L", (size, size), 255)
        for y, row in enumerate(item["rows"]):
            for x, bit in enumerate(row):
                if bit == "1":
                    image.putpixel((x + 4, y + 4), 0)
        read = decode(image.resize((size * 6, size * 6), Image.NEAREST))
        assert [code.data.decode() for code in read] == [item["text"]], len(item["text"])


# MARK: Time


@test
def time_travel(world):
    """The tree as it was at a snapshot and at an earlier state, and brought back after a look at what that changes."""
    browser, node = world.browser, world.first
    base = fresh(world, "then")
    node.put(f"{base}/kept.txt", b"old")
    node.put(f"{base}/lost.txt", b"lost")
    browser.go("#/time")
    browser.click("button", "Make snapshot")
    browser.type("#answer", "before")
    browser.keys(Keys.ENTER)
    browser.find(".choices li", "before")
    node.put(f"{base}/kept.txt", b"new")
    node.call("DELETE", f"/files{base}/lost.txt")
    node.put(f"{base}/extra.txt", b"extra")
    states = len(node.json("GET", "/versions/commits?limit=200")["items"])
    browser.wait(lambda: int(browser.find(".timeline input[type=range]").get_attribute("max")) == states, "the new states and the snapshot are there")
    browser.find(".timeline h2", "Now")
    for _ in range(3):
        browser.click("button[aria-label=Older]")
    accessible(browser, "time")
    browser.shoot("time")
    browser.click(".timeline a", "Browse this state")
    browser.find(".strip", "The tree as of")
    browser.go(browser.run("return location.hash").replace("#/files/", "#/files/then"))
    browser.wait(lambda: browser.names() == ["kept.txt", "lost.txt"], "the folder as it was")
    assert not browser.all("button[aria-label=Upload]"), "the past can be written"
    accessible(browser, "the past")
    browser.shoot("past")
    browser.row("kept.txt").find_element("css selector", ".title").click()
    browser.find(".stage pre", "old")
    browser.keys(Keys.ESCAPE)
    browser.click(".strip button", "Restore")
    browser.find("dialog h2", "Restore ")
    browser.find("dialog code", "/then")
    browser.keys(Keys.ESCAPE)
    browser.gone("dialog[open]")
    browser.click(".strip a", "Back to now")
    browser.wait(lambda: browser.names() == ["extra.txt", "kept.txt"], "the folder as it is")
    browser.go("#/time")
    # A snapshot stands among the states, where it was made.
    browser.find(".timeline h2", "Now")
    for _ in range(states):
        browser.click("button[aria-label=Older]")
        if browser.all(".timeline h2", "snapshot “before”"):
            break
    browser.find(".timeline h2", "snapshot “before”")
    assert browser.run("return document.querySelectorAll('.marks span').length") == 1
    browser.expected = ["404"]
    browser.click("button", "A week ago")
    browser.find(".empty", "No state from that time is kept")
    browser.go("#/time")
    browser.click(".choices button", "Restore")
    browser.find("dialog li", "/then/lost.txt")
    browser.find("dialog li", "goes back to its old content")
    browser.find("dialog p", "1 path would come back, 1 go back to their old content, 1 that are newer be removed")
    accessible(browser, "restore")
    browser.shoot("restore")
    browser.click("dialog .actions button", "Restore")
    browser.find(".notice", "Restored")
    assert node.call("GET", f"/files{base}/kept.txt")[1] == b"old"
    assert node.call("GET", f"/files{base}/lost.txt")[1] == b"lost"
    assert node.call("GET", f"/files{base}/extra.txt")[0].status == 404
    browser.click(".notice button", "Undo")
    wait_for(lambda: node.call("GET", f"/files{base}/extra.txt")[1] == b"extra", "the restore is undone")
    assert node.call("GET", f"/files{base}/kept.txt")[1] == b"new"
    browser.click(".choices button", "Delete snapshot")
    browser.click("dialog .actions button", "Delete snapshot")
    browser.find("section", "No snapshots yet")


# MARK: Keys


@test
def scoped_key(world):
    """A key is made with a folder from the tree and shown once; whoever logs in with it sees that folder and nothing else; revoked, it is out."""
    browser, node = world.browser, world.first
    fresh(world, "team")
    node.put("/team/ours.txt", b"ours")
    node.put("/private.txt", b"private")
    browser.go("#/keys")
    browser.click("button", "Make a key")
    browser.type("#key-label", "Team")
    browser.click("dialog button", "Choose folder")
    browser.click("dialog .branch button", "team")
    browser.click("dialog .actions button", "Choose")
    browser.wait(lambda: browser.find("dialog .rule input:not([type])").get_attribute("value") == "/team/**", "the pattern is filled in")
    browser.click("dialog label", "write")
    accessible(browser, "make a key")
    browser.shoot("key-form")
    browser.click("dialog .actions button", "Make key")
    browser.find("dialog", "shown this once")
    key = browser.find("dialog .copyable code").text
    browser.shoot("key-shown")
    browser.click("dialog .actions button", "Close")
    browser.find("td", "Team")
    browser.find("td", "/team/** read, list, write")
    assert key not in browser.text()
    browser.click("button[aria-label='Log out']")
    browser.expected = ["403", "401", "404"]
    browser.log_in(node, key)
    browser.wait(lambda: browser.names() == ["team"], "only the folder is there")
    assert not browser.all(".nav a", "Keys") and not browser.all(".nav a", "Cluster")
    browser.row("team").find_element("css selector", ".title").click()
    browser.wait(lambda: browser.names() == ["ours.txt"], "what is in it")
    node.put("/team/more.txt", b"more")
    browser.row("more.txt")
    browser.select("ours.txt")
    browser.click(".strip button[aria-label=Delete]")
    browser.find(".notice.bad", "rules do not allow")
    browser.go("#/files/private.txt")
    browser.find(".empty", "Nothing is here")
    browser.go("#/time")
    browser.find("h1", "Time")
    browser.shoot("scoped-time")
    identity = next(item["id"] for item in node.json("GET", "/auth/keys")["items"] if item["label"] == "Team")
    assert node.call("DELETE", f"/auth/keys/{identity}")[0].status == 204
    browser.find("#key")
    browser.find("#login-error", "session has ended")
    browser.log_in(node, node.root_key)


# MARK: The whole


@test
def encrypted(world):
    """Over TLS: the log-in, a secure cookie, uploads, previews, what others do, live."""
    browser = world.browser
    node = Node(world.work, "Lisbon", "--tls")
    try:
        assert node.page.startswith("https://")
        browser.log_in(node, node.root_key)
        name = "pando-" + node.json("GET", "/sync/status")["node_id"][:12]
        cookie = next(cookie for cookie in browser.driver.get_cookies() if cookie["name"] == name)
        assert cookie["secure"] and cookie["httpOnly"] and cookie["sameSite"] == "Strict", cookie
        local = os.path.join(world.work, "tls.bin")
        content = os.urandom(9 << 20)
        with open(local, "wb") as file:
            file.write(content)
        browser.driver.find_elements("css selector", "main input[type=file]")[0].send_keys(local)
        browser.find(".uploads", "1 file uploaded", seconds=60)
        browser.click(".uploads button", "Close")
        assert node.call("GET", "/files/tls.bin")[1] == content
        node.put("/tree.png", samples.picture((120, 160, 220), 40))
        browser.row("tree.png").find_element("css selector", ".title").click()
        browser.wait(lambda: browser.run("return document.querySelector('.stage img')?.naturalWidth") == 320, "the picture is there")
        browser.keys(Keys.ESCAPE)
        browser.driver.refresh()
        browser.find(".state[data-state=live]")
        loads = browser.run("return performance.getEntriesByType('resource').filter((entry) => entry.name.includes('/console/')).map((entry) => new URL(entry.name).protocol)")
        assert loads and set(loads) == {"https:"}, loads
        browser.click("button[aria-label='Log out']")
        browser.find("#key")
    finally:
        browser.open("about:blank")
        node.end()


@test
def offline(world):
    """Where the node is not reached, the page says so, keeps what it shows, and comes back by itself."""
    browser, node = world.browser, world.first
    fresh(world, "away")
    node.put("/away/a.txt", b"a")
    browser.row("a.txt")
    browser.expected = ["ERR_CONNECTION", "ERR_EMPTY_RESPONSE", "ERR_INCOMPLETE", "502"]
    node.stop()
    browser.find(".state[data-state=offline]", seconds=30)
    browser.find(".banner", "does not answer")
    browser.row("a.txt")
    browser.shoot("offline")
    browser.go("#/cluster")
    browser.find(".empty", "does not answer")
    browser.go("#/files/away")
    browser.find(".empty", "does not answer")
    node.start()
    browser.find(".state[data-state=live]", seconds=40)
    browser.gone(".banner")
    browser.row("a.txt")


@test
def pages(world):
    """Every page, narrow and wide, by day and by night: names, labels, contrast, reflow; screenshots for people to look at."""
    browser, node = world.browser, world.first
    fresh(world, "Pictures")
    for index in range(12):
        node.put(f"/Pictures/grove%20{index + 1}.png", samples.picture((100 + 10 * index, 160, 200), 20 * index))
    conflict(world, "/Pictures/plan.txt", b"one\ntwo\n", b"one\nthree\n")
    conflict(world, "/Pictures/plan.png", samples.picture((150, 190, 225), 40), samples.picture((225, 180, 150), 200))
    try:
        for theme in ("light", "dark"):
            browser.theme(theme)
            for width, height in ((360, 740), (1440, 900)):
                browser.size(width, height)
                for name, route in {**PAGES, "folder": "#/files/Pictures", "conflict": "#/conflicts/Pictures/plan.txt", "pictures": "#/conflicts/Pictures/plan.png"}.items():
                    browser.go(route)
                    browser.find("main:not(:empty)")
                    browser.wait(lambda: browser.run("return document.querySelector('main').className.includes(arguments[0])", route.split("/")[1]), f"the page {name}")
                    browser.gone("main .spinner")
                    browser.find({"files": ".item", "folder": ".item", "conflicts": ".version", "conflict": ".diff", "pictures": ".compare img", "cluster": "live-chart", "time": "section", "keys": "td"}[name])
                    browser.shoot(f"page-{name}-{width}-{theme}")
                    accessible(browser, f"{name} at {width}, {theme}")
    finally:
        browser.theme("light")
        browser.size(1440, 900)


@test
def faults_are_found(world):
    """The checks of accessibility find what they are there to find."""
    browser = world.browser
    fresh(world, "Pictures")
    with open(os.path.join(HERE, "access.js")) as file:
        script = file.read()
    assert browser.run(script) == []
    for make, expected in [
        ("element.append(document.createElement('button'))", "no name: <button"),
        ("element.append(Object.assign(document.createElement('input'), {placeholder: 'x'}))", "no name: <input"),
        ("element.append(Object.assign(document.createElement('p'), {textContent: 'pale'})); element.firstChild.style.color = 'rgb(160, 160, 160)'", "contrast 2."),
        ("element.append(Object.assign(document.createElement('i'), {id: 'app'}))", "id twice: app"),
        ("element.append(document.createElement('h5'))", "heading 5 after 1"),
        ("element.append(document.createElement('h1'))", "2 first headings"),
        ("element.append('wide'); element.style.width = '3000px'", "hangs over the edge"),
        ("element.setAttribute('aria-describedby', 'nobody')", "leads nowhere"),
    ]:
        browser.run("const element = document.createElement('div'); element.className = 'fault'; document.querySelector('main').prepend(element); " + make)
        found = browser.run(script)
        browser.run("document.querySelector('.fault').remove()")
        assert any(expected in fault for fault in found), (expected, found)


@test
def keyboard(world):
    """The focus goes through each page in the order of reading, is seen wherever it is, and is trapped nowhere."""
    browser = world.browser
    fresh(world, "Pictures")
    for name, route in PAGES.items():
        browser.go(route)
        browser.gone("main .spinner")
        browser.run("document.querySelector('.skip').focus()")
        seen = []
        for step in range(60):
            if step:
                browser.keys(Keys.TAB)
            at = browser.run("""const at = document.activeElement;
                if (!at || at === document.body) return null;
                const style = getComputedStyle(at), box = at.getBoundingClientRect();
                return {place: [...document.querySelectorAll('*')].indexOf(at), what: at.outerHTML.slice(0, 80), isSeen: (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2) && box.width > 0 && box.bottom > 0}""")
            if at is None or seen and at["place"] == seen[0]:
                break
            assert at["isSeen"] or not step, f"{name}: the focus is not seen at {at['what']}"
            seen.append(at["place"])
        else:
            raise AssertionError(f"{name}: the focus does not come round")
        assert len(seen) > 6, f"{name}: only {len(seen)} places"
        assert seen == sorted(seen), f"{name}: the focus jumps back: {seen}"


@test
def many(world):
    """A hundred thousand entries are listed, scrolled, searched and packed."""
    browser, node = world.browser, world.first
    count = 100_000
    local = os.path.join(world.work, "many")
    os.mkdir(local)
    for index in range(count):
        with open(os.path.join(local, f"file-{index:06}.txt"), "w") as file:
            file.write(str(index))
    subprocess.run([PROGRAM, "--data", node.data, "put", "-r", local, "/"], check=True, capture_output=True)
    if not browser.run("return !!document.querySelector('.shell')"):
        browser.log_in(node, node.root_key)
    began = time.monotonic()
    browser.go("#/files/many")
    browser.row("file-000000.txt")
    first = time.monotonic() - began
    browser.wait(lambda: browser.find(".list-foot").text == "100,000 items", "all are loaded", 60)
    whole = time.monotonic() - began
    frames = browser.run_async("""const done = arguments[0], rows = document.querySelector('.rows'), times = [];
        let last = performance.now();
        (function step(now) {
          times.push(now - last); last = now;
          if (times.length > 240) return done(times.slice(1).sort((a, b) => a - b));
          rows.scrollTop += times.length < 120 ? 1700 : 23000;
          requestAnimationFrame(step);
        })(last)""")
    assert browser.run("return document.querySelectorAll('.item').length") < 100, "rows that are not seen exist"
    assert browser.run("return document.querySelector('.item:not([hidden]) .title').textContent.startsWith('file-')")
    print(f"        100,000 entries: first rows after {first * 1000:.0f} ms, all after {whole:.1f} s; frames while scrolling: "
          f"median {frames[120]:.1f} ms, 95 % {frames[228]:.1f}, 99 % {frames[237]:.1f}, longest {frames[-1]:.1f}")
    browser.run("document.querySelector('.rows').focus()")
    browser.keys(Keys.END)
    browser.row("file-099999.txt")
    browser.type(".search-input", "99998")
    browser.wait(lambda: browser.names() == ["file-099998.txt"], "one is found")
    order = node.json("POST", "/archives", {"paths": ["/many"]})
    _, body = node.call("GET", order["url"])
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert len(archive.namelist()) == count + 1
        assert archive.read("many/file-099999.txt") == b"99999"
    browser.find(".search-input").send_keys(Keys.ESCAPE)
    browser.go("#/files/")
