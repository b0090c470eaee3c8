"""The report in a real browser: headless Chromium, spoken to over its debugging pipe."""

from __future__ import annotations

import importlib.resources
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from claimstance.labels import CERTAINTIES, STANCES, Certainty, Stance
from claimstance.records import Prediction
from claimstance.report import render_report
from claimstance.report_pages import write_pages

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no `chromium` on PATH to open the report in"),
]

ATTACK = "<script>document.title = 'ran'</script><img src=x onerror=\"document.title = 'ran'\">"
CHECKED = "getComputedStyle(document.querySelector('[data-stance={}].s')).color"

SECONDS_TO_ANSWER = 60
# Puts two pipe ends on descriptors 3 and 4, and becomes the browser. They are first copied
# out of the way, since either may already be 3 or 4.
START = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]]
os.dup2(ends[0], 3)
os.dup2(ends[1], 4)
os.closerange(5, 64)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Browser:
    """A headless Chromium with one page, over ``--remote-debugging-pipe``.

    The pipe needs no port and no library: it takes and gives JSON objects, each
    ended by a zero byte, on the browser's descriptors 3 and 4.
    """

    def __init__(self, profile: Path) -> None:
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()
        flags = (
            "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync "
            "--disable-background-networking --disable-component-update --remote-debugging-pipe"
        )
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-c", START, str(to_browser), str(from_browser)),
                *(CHROMIUM or "chromium", *flags.split(), f"--user-data-dir={profile}"),
            ],
            pass_fds=(to_browser, from_browser),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._pending = b""
        self._last = 0
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **params: Any) -> Any:
        """Call one method of the protocol and wait for its result."""
        self._last += 1
        message: dict[str, Any] = {"id": self._last, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next_message()
            if answer.get("id") == self._last:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.events.append(answer)

    def open(self, path: Path, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """Open a file in a window of that size and wait until it has loaded."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        features = [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            # Smooth scrolling would move what is about to be clicked.
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        self.send("Emulation.setEmulatedMedia", features=features)
        self.events.clear()
        self.send("Page.navigate", url=path.as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._next_message())

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression in the page."""
        answer = self.send(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(str(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def press(self, key: str, code: int) -> None:
        """Press and release one key."""
        common = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        text = {"text": "\r"} if key == "Enter" else {}
        self.send("Input.dispatchKeyEvent", type="keyDown", **common, **text)
        self.send("Input.dispatchKeyEvent", type="keyUp", **common)

    def click(self, selector: str) -> None:
        """Click with the mouse in the middle of the first line of an element."""
        x, y = self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            "e.scrollIntoView({block: 'center', behavior: 'instant'});"
            "const r = e.getClientRects()[0];"
            "return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def complaints(self) -> list[str]:
        """What the console and the policy have complained of since the page was opened."""
        kinds = ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")
        return [json.dumps(event) for event in self.events if event.get("method") in kinds]

    def requests(self) -> list[str]:
        """Every address that was asked for since the page was opened."""
        return [
            event["params"]["request"]["url"]
            for event in self.events
            if event.get("method") == "Network.requestWillBeSent"
        ]

    def close(self) -> None:
        """End the browser."""
        self._session = None
        self.send("Browser.close")
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._write)
        os.close(self._read)

    def _next_message(self) -> dict[str, Any]:
        while b"\0" not in self._pending:
            ready, _, _ = select.select([self._read], [], [], SECONDS_TO_ANSWER)
            received = os.read(self._read, 1 << 16) if ready else b""
            if not received:
                raise RuntimeError("the browser has ended, or does not answer")
            self._pending += received
        line, self._pending = self._pending.split(b"\0", 1)
        message: dict[str, Any] = json.loads(line)
        return message


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(Path(profile))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two articles with every stance and certainty, an attack and a very long word."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_bytes(render_report([*article("one"), *article("two")]).encode())
    return path


def article(article_id: str) -> list[Prediction]:
    texts: list[tuple[str, Stance, Certainty | None, str | None, float]] = [
        (f"{ATTACK} in a headline", "no_claim", None, None, 0.9),
        ("The bridge is closed.", "asserted", "certain", None, 0.9),
        (f"The mayor said {ATTACK} it may open.", "attributed", "possible", "The mayor", 0.9),
        ("The union denies that.", "disputed", "certain", "The union", 0.5),
        ("It could not be verified.", "unproven", "probable", None, 0.9),
        ("The video is a fake: see " + "x" * 120 + ".", "refuted", "certain", None, 0.9),
    ]
    return [
        Prediction(
            article_id=article_id,
            position=position,
            start=start,
            end=start + len(text),
            text=text,
            stance=stance,
            certainty=certainty,
            stance_probabilities={s: top if s == stance else (1 - top) / 5 for s in STANCES},
            certainty_probabilities=dict.fromkeys(CERTAINTIES, 1 / 3),
            source=source,
            cues=(),
            model="tiny",
        )
        for position, (text, stance, certainty, source, top) in enumerate(texts)
        # One space apart: one paragraph.
        for start in [sum(len(row[0]) + 1 for row in texts[:position])]
    ]


def test_page_opens_without_complaint_and_loads_nothing(browser: Browser, page: Path) -> None:
    browser.open(page)

    assert browser.run("document.documentElement.classList.contains('js')"), "the script ran"
    assert browser.complaints() == []
    assert [url for url in browser.requests() if not url.startswith("data:")] == [page.as_uri()]


def test_the_pages_of_a_batch_open_without_complaint(browser: Browser, tmp_path: Path) -> None:
    """The index has no script; from it a click leads to an article, and back."""
    write_pages(tmp_path / "pages", [*article("one"), *article("two")], {"one": ATTACK})
    browser.open(tmp_path / "pages" / "index.html")

    assert browser.run("document.title") == "2 articles, read by claimstance"
    assert browser.run("document.querySelectorAll('script, main img').length") == 0
    href = browser.run("document.querySelector('.contents a').href")
    browser.open(Path(href.removeprefix("file://")))
    assert browser.run("document.querySelector('.meta a').href").endswith("/pages/index.html")
    assert browser.complaints() == []


def broken_rules(browser: Browser) -> list[str]:
    """The rules of axe-core that the open page breaks, each with the first place."""
    axe = importlib.resources.files("axe_core_python").joinpath("axe.min.js")
    browser.run(axe.read_text("utf-8") + ";0")
    return browser.run(
        "axe.run().then(found => found.violations.map(v => `${v.id}: ${v.nodes[0].html}`))"
    )


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing(
    browser: Browser, page: Path, tmp_path: Path, width: int, dark: bool
) -> None:
    write_pages(tmp_path / "pages", [*article("one"), *article("two")], {"one": ATTACK})
    pages = sorted((tmp_path / "pages").rglob("*.html"))
    assert len(pages) == 3
    for path in (page, *pages):
        browser.open(path, width=width, dark=dark)
        assert broken_rules(browser) == [], path


def test_axe_does_find_a_fault(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.run("document.querySelector('.m').removeAttribute('aria-label')")
    assert [rule.split(":")[0] for rule in broken_rules(browser)] == ["button-name"]


def test_nothing_in_an_article_runs(browser: Browser, page: Path) -> None:
    browser.open(page)

    assert browser.run("document.title") != "ran"
    assert browser.run("document.querySelectorAll('img').length") == 0
    assert browser.run("document.querySelectorAll('script').length") == 1
    assert ATTACK in browser.run("document.querySelector('#a1-2').innerText")


def test_policy_stops_a_script_that_got_in(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.run(
        "(() => { const s = document.createElement('script'); s.textContent = \"document.title ="
        " 'ran'\"; document.body.append(s); })()"
    )

    assert browser.run("document.title") != "ran"


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without"])
def test_filter_sets_the_others_back(browser: Browser, page: Path, script: bool) -> None:
    browser.send("Emulation.setScriptExecutionDisabled", value=not script)
    browser.open(page)
    plain = browser.run(CHECKED.format("asserted"))

    browser.run("document.querySelector('#f-disputed').focus()")
    browser.press(" ", 32)
    kept, faded = (browser.run(CHECKED.format(stance)) for stance in ("disputed", "asserted"))
    status = browser.run("document.querySelector('[role=status]').textContent")
    browser.click("button[type=reset]")
    restored = browser.run(CHECKED.format("asserted"))
    browser.send("Emulation.setScriptExecutionDisabled", value=False)

    assert (kept, restored) == (plain, plain)
    assert faded != plain
    assert status == ("2 of 12 sentences" if script else "12 sentences")


def test_second_look_filter_keeps_what_is_doubtful(browser: Browser, page: Path) -> None:
    browser.open(page)
    plain = browser.run(CHECKED.format("disputed"))
    browser.click("#f-look")

    assert browser.run(CHECKED.format("disputed")) == plain
    assert browser.run(CHECKED.format("refuted")) != plain


def test_card_opens_from_the_keyboard_and_arrows_go_on(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.run("document.querySelector('#a1-2 .m').focus()")
    browser.press("Enter", 13)
    first = browser.run("document.querySelector(':popover-open').innerText")
    browser.press("ArrowRight", 39)
    second = browser.run("document.querySelector(':popover-open').id")
    browser.press("Escape", 27)

    assert first.startswith("Attributed, possible")
    assert "90%" in first
    assert second == "a1-3-p"
    assert browser.run("document.querySelectorAll(':popover-open').length") == 0


def test_click_in_a_sentence_opens_its_card_and_a_second_one_shuts_it(
    browser: Browser, page: Path
) -> None:
    browser.open(page)
    browser.click("#a1-1 .t")
    opened = browser.run("document.querySelector(':popover-open').id")
    browser.click("#a1-1 .t")

    assert opened == "a1-1-p"
    assert browser.run("document.querySelectorAll(':popover-open').length") == 0


@pytest.mark.parametrize("width", range(320, 420, 20))
def test_no_mark_stays_behind_at_the_end_of_a_line(
    browser: Browser, page: Path, width: int
) -> None:
    browser.open(page, width=width, height=844)
    apart = browser.run(
        "Array.from(document.querySelectorAll('p > .s'), s => [s.querySelector('.m'),"
        " s.querySelector('.t')].map(e => e.getClientRects()[0]))"
        ".filter(([mark, text]) => text.left < mark.right || text.top > mark.bottom).length"
    )

    assert apart == 0


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_no_page_is_wider_than_its_window(browser: Browser, page: Path, width: int) -> None:
    browser.open(page, width=width, height=844)
    browser.run("document.querySelectorAll('details').forEach(d => { d.open = true })")

    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.run("window.innerWidth") == width
