"""Headless Chromium and what the tests do with it."""
import os, time
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, WebDriverException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

SCREENSHOTS = os.path.abspath(os.environ.get("PANDO_SCREENSHOTS") or os.path.join(os.path.dirname(__file__), "../../.build-console/screenshots"))


class Browser:
    def __init__(self, downloads):
        options = webdriver.ChromeOptions()
        for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--force-color-profile=srgb", "--no-proxy-server",
                         # A page that browsers take for an insecure one, as they do those of a LAN without TLS.
                         "--host-resolver-rules=MAP studio.test 127.0.0.1"):
            options.add_argument(argument)
        # Nodes make their certificates themselves.
        options.accept_insecure_certs = True
        options.binary_location = "/usr/bin/chromium"
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        options.add_experimental_option("prefs", {"download.default_directory": downloads, "download.prompt_for_download": False})
        self.driver = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
        self.driver.set_script_timeout(60)
        self.expected = []
        self.size(1440, 900)

    def quit(self):
        self.driver.quit()

    # What is seen

    def size(self, width, height=900):
        """Of the page, which a window cannot be made as narrow as."""
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})

    def theme(self, name):
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": name}]})

    def shoot(self, name):
        os.makedirs(SCREENSHOTS, exist_ok=True)
        self.driver.save_screenshot(os.path.join(SCREENSHOTS, name + ".png"))

    # Elements

    def open(self, url):
        self.driver.get(url)

    def all(self, selector, text=None):
        found = self.driver.find_elements(By.CSS_SELECTOR, selector)
        return [element for element in found if element.is_displayed() and (text is None or text in element.text)]

    def find(self, selector, text=None, seconds=20):
        """The first that is seen and has the text in it; waits for it."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                found = self.all(selector, text)
                if found:
                    return found[0]
            except StaleElementReferenceException:
                pass
            if time.monotonic() > deadline:
                self.shoot("failure")
                raise AssertionError(f"no {selector} with {text!r}; the page says:\n{self.text()[:1500]}")
            time.sleep(0.03)

    def gone(self, selector, text=None, seconds=20):
        self.wait(lambda: not self.all(selector, text), f"{selector} with {text!r} goes", seconds)

    def wait(self, condition, what, seconds=20):
        deadline = time.monotonic() + seconds
        while True:
            try:
                result = condition()
                if result:
                    return result
            except StaleElementReferenceException:
                pass
            if time.monotonic() > deadline:
                self.shoot("failure")
                raise AssertionError(f"waited in vain: {what}; the page says:\n{self.text()[:1500]}")
            time.sleep(0.03)

    def text(self):
        return self.driver.find_element(By.TAG_NAME, "body").text

    def click(self, selector, text=None):
        """Clicks what may be drawn anew meanwhile."""
        def attempt():
            try:
                self.find(selector, text).click()
                return True
            except (StaleElementReferenceException, WebDriverException) as error:
                if "intercept" in str(error) or isinstance(error, StaleElementReferenceException) or "not interactable" in str(error):
                    return False
                raise
        self.wait(attempt, f"a click on {selector} with {text!r}")

    def type(self, selector, text):
        element = self.find(selector)
        element.send_keys(Keys.CONTROL, "a")
        element.send_keys(text)
        return element

    def keys(self, *keys):
        ActionChains(self.driver).send_keys(*keys).perform()

    def run(self, script, *values):
        return self.driver.execute_script(script, *values)

    def run_async(self, script, *values):
        return self.driver.execute_async_script(script, *values)

    # The console

    def throttle(self, rate):
        """Sends up at so many bytes a second; 0 for as fast as it goes."""
        self.driver.execute_cdp_cmd("Network.enable", {})
        self.driver.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": rate or -1})

    def leave_tab(self):
        """Ends the tab, in the middle of whatever it does, and goes on in another."""
        old = self.driver.current_window_handle
        self.driver.switch_to.new_window("tab")
        new = self.driver.current_window_handle
        self.driver.switch_to.window(old)
        self.driver.close()
        self.driver.switch_to.window(new)
        self.size(1440, 900)

    def log_in(self, node, key, page=None):
        """Anew, whoever was logged in."""
        self.open((page or node.page) + "/")
        self.find("#key, .shell")
        if self.all(".shell"):
            self.click("button[aria-label='Log out']")
        self.type("#key", key)
        self.click("form button.primary")
        self.find(".shell")
        self.find(".state[data-state=live]")

    def go(self, route):
        self.run("location.hash = arguments[0]", route)

    def row(self, name):
        """The row of a file's name."""
        return self.wait(lambda: next((row for row in self.all(".item") if row.find_element(By.CSS_SELECTOR, ".title").text == name), None), f"a row named {name}")

    def names(self):
        return self.run("return [...document.querySelectorAll('.item:not([hidden])')].sort((a, b) => a.ariaRowIndex - b.ariaRowIndex).map((row) => row.querySelector('.title').textContent)")

    def select(self, name):
        self.wait(lambda: self.row(name).find_element(By.CSS_SELECTOR, ".number").click() or True, f"{name} is selected")
        self.find(".strip", "1 selected")

    def errors(self):
        """What the console of the browser has said, but for what the test meant to happen."""
        said = [entry for entry in self.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
        return [entry["message"] for entry in said if not any(expected in entry["message"] for expected in self.expected)]
