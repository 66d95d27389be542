"""A headless Chromium, driven over the DevTools protocol."""
import asyncio
import base64
import itertools
import json
import pathlib
import shutil
import subprocess
import tempfile
import urllib.request

import websockets

NAMES = ["chromium", "chromium-browser", "google-chrome"]
START_SECONDS = 60
PAGE_SECONDS = 30


class Browser:
    """One tab. What the page logs, throws and asks for is kept."""

    async def __aenter__(self):
        program = next(filter(None, map(shutil.which, NAMES)), None)
        if program is None:
            raise SystemExit("no Chromium: install it (Debian: chromium)")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="eigenscope-pages-"))
        self.process = subprocess.Popen(
            [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-background-networking", "--remote-debugging-port=0", f"--user-data-dir={self.folder}/profile", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        port = self.folder / "profile/DevToolsActivePort"
        for _ in range(START_SECONDS * 10):
            if port.exists() and port.read_text().strip():
                break
            await asyncio.sleep(0.1)
        number = port.read_text().split()[0]
        tabs = json.load(urllib.request.urlopen(f"http://127.0.0.1:{number}/json"))
        url = next(t for t in tabs if t["type"] == "page")["webSocketDebuggerUrl"]
        self.socket = await websockets.connect(url, max_size=None)
        self.ids, self.waiting, self.events = itertools.count(1), {}, []
        self.reader = asyncio.create_task(self._read())
        for domain in ["Page", "Runtime", "Log", "Network", "DOM"]:
            await self.call(f"{domain}.enable")
        await self.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(self.folder))
        return self

    async def __aexit__(self, *_):
        self.reader.cancel()
        await self.socket.close()
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    async def _read(self):
        async for message in self.socket:
            message = json.loads(message)
            if "id" in message:
                self.waiting.pop(message["id"]).set_result(message)
            else:
                self.events.append(message)

    async def call(self, method, **parameters):
        number = next(self.ids)
        self.waiting[number] = asyncio.get_running_loop().create_future()
        await self.socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        answer = await asyncio.wait_for(self.waiting[number], PAGE_SECONDS)
        if "error" in answer:
            raise AssertionError(f"{method}: {answer['error']}")
        return answer["result"]

    async def open(self, path, width=1280, height=1000, dark=False):
        """Opens a file and waits until it is drawn."""
        self.events.clear()
        self.url = pathlib.Path(path).resolve().as_uri()
        await self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = "dark" if dark else "light"
        await self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        await self.call("Page.navigate", url=self.url)
        await self.until("document.readyState === 'complete'")
        await self.js("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    async def js(self, expression):
        """The value of an expression in the page."""
        answer = await self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise AssertionError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    async def until(self, expression):
        for _ in range(PAGE_SECONDS * 20):
            if await self.js(expression):
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"never: {expression}")

    async def press(self, key, code=None):
        text = {"Enter": "\r", " ": " "}.get(key)
        number = {"Enter": 13, " ": 32, "Tab": 9}[key]
        for kind in ["keyDown", "keyUp"]:
            more = {"text": text} if text and kind == "keyDown" else {}
            await self.call("Input.dispatchKeyEvent", type=kind, key=key, code=code or key, windowsVirtualKeyCode=number, **more)

    async def downloaded(self, name):
        for _ in range(PAGE_SECONDS * 20):
            file = self.folder / name
            if file.exists():
                return file.read_text()
            await asyncio.sleep(0.05)
        raise AssertionError(f"{name} was not downloaded: {list(self.folder.iterdir())}")

    async def picture(self, path):
        shot = await self.call("Page.captureScreenshot", captureBeyondViewport=True)
        pathlib.Path(path).write_bytes(base64.b64decode(shot["data"]))

    def complaints(self):
        """Errors and warnings on the console, and exceptions."""
        found = []
        for event in self.events:
            method, what = event["method"], event["params"]
            if method == "Runtime.exceptionThrown":
                found.append(what["exceptionDetails"].get("exception", {}).get("description", str(what)))
            elif method == "Log.entryAdded" and what["entry"]["level"] in ("error", "warning"):
                found.append(what["entry"]["text"])
            elif method == "Runtime.consoleAPICalled" and what["type"] in ("error", "warning", "assert"):
                found.append(str(what["args"]))
        return found

    def requests(self):
        """What was asked for beside the page itself and what it holds."""
        asked = [e["params"]["request"]["url"] for e in self.events if e["method"] == "Network.requestWillBeSent"]
        return [u for u in asked if u != self.url and not u.startswith(("data:", "blob:"))]

    async def unnamed(self):
        """Controls that a screen reader has no name for."""
        tree = await self.call("Accessibility.getFullAXTree")
        controls = {"button", "combobox", "textbox", "searchbox", "checkbox", "link", "img", "image", "table"}
        return [n.get("role", {}).get("value") for n in tree["nodes"]
                if not n.get("ignored") and n.get("role", {}).get("value") in controls and not n.get("name", {}).get("value")]


# The least contrast of text and ground (WCAG 2) over all elements that have text of their own.
CONTRAST = """(() => {
  const channel = (c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const parse = (c) => c.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] > 0.99) return c;
    }
    return [255, 255, 255];
  };
  let worst = [99, ""];
  for (const e of document.querySelectorAll("body *")) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.offsetParent || e.closest("script, svg, [disabled]")) continue;
    const [a, b] = [light(parse(getComputedStyle(e).color)), light(ground(e))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < worst[0]) worst = [ratio, e.tagName + " " + e.className + " " + e.textContent.slice(0, 40)];
  }
  return worst;
})()"""
