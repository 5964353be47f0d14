"""Runs the tests of the console, or those whose names have one of the given words in them."""
import os, shutil, sys, tempfile, time, traceback
sys.path.insert(0, os.path.dirname(__file__))
import nodes
from browser import SCREENSHOTS, Browser
from checks import TESTS


class World:
    """What the tests share: two nodes in one cluster, a browser, and a place for files."""

    def __init__(self, work):
        self.work = work
        self.downloads = os.path.join(work, "downloads")
        os.mkdir(self.downloads)
        self.first, self.second = nodes.pair(work)
        self.browser = Browser(self.downloads)


def main():
    shutil.rmtree(SCREENSHOTS, ignore_errors=True)
    chosen = [test for test in TESTS if not sys.argv[1:] or any(word in test.__name__ for word in sys.argv[1:])]
    began = time.monotonic()
    failed = 0
    with tempfile.TemporaryDirectory(prefix="pando-console-") as work:
        world = World(work)
        try:
            for test in chosen:
                start = time.monotonic()
                world.browser.expected = []
                try:
                    test(world)
                    said = world.browser.errors()
                    assert not said, "the browser's console says:\n" + "\n".join(said)
                    print(f"ok      {test.__name__}  {time.monotonic() - start:.1f} s", flush=True)
                except Exception:
                    failed += 1
                    world.browser.shoot("failed-" + test.__name__)
                    # The next begins anew, whatever this one was in the middle of.
                    world.browser.driver.delete_all_cookies()
                    world.browser.open("about:blank")
                    world.browser.errors()
                    print(f"FAILED  {test.__name__}: {test.__doc__}\n{traceback.format_exc()}", flush=True)
        finally:
            world.browser.quit()
            world.first.end()
            world.second.end()
    print(f"{len(chosen) - failed} of {len(chosen)} tests passed in {time.monotonic() - began:.0f} s; screenshots are in {SCREENSHOTS}")
    return 1 if failed or not chosen else 0


sys.exit(main())
