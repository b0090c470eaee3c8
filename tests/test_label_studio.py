"""A round trip through the real Label Studio server, where it is installed."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from claimstance.corpus import LabelledArticle
from claimstance.labelling.label_studio import regions
from claimstance.prediction import as_article
from claimstance.records import LabelledSentence, write_records
from claimstance.sampling import sample
from claimstance.tasks import read_labels

Run = Callable[..., Any]

SERVER: Final = os.environ.get("LABEL_STUDIO") or shutil.which("label-studio")
TOKEN: Final = "0123456789abcdef0123456789abcdef01234567"
#: It makes its database first.
STARTS_WITHIN: Final = 240.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        SERVER is None,
        reason="needs Label Studio: `python -m venv ls && ls/bin/pip install label-studio`, then "
        "set LABEL_STUDIO=ls/bin/label-studio",
    ),
]


class Server:
    """The HTTP API of a server that runs."""

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"

    def __call__(self, method: str, path: str, body: object = None) -> Any:
        request = urllib.request.Request(
            f"{self.address}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Token {TOKEN}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (tmp_path / "server.log").open("w")
    command = [str(SERVER), "start", "--no-browser", "--internal-host", "127.0.0.1"]
    command += ["--port", str(port), "--data-dir", str(tmp_path / "server")]
    command += ["--username", "ada@example.org", "--password", "for this test only"]
    command += ["--user-token", TOKEN, "--enable-legacy-api-token"]
    # It starts a second process of its own: both end with their group.
    own = {"HOME": str(tmp_path), "LABEL_STUDIO_BASE_DATA_DIR": str(tmp_path / "server")}
    quiet = {"COLLECT_ANALYTICS": "false", "LATEST_VERSION_CHECK": "false"}
    process = subprocess.Popen(
        command, stdout=log, stderr=log, start_new_session=True, env={**os.environ, **own, **quiet}
    )
    try:
        api = Server(port)
        deadline = time.monotonic() + STARTS_WITHIN
        while True:
            try:
                api("GET", "/api/projects")
                break
            except (urllib.error.URLError, OSError):
                assert process.poll() is None, (tmp_path / "server.log").read_text()[-2000:]
                assert time.monotonic() < deadline, "Label Studio does not start"
                time.sleep(1)
        yield api
    finally:
        os.killpg(process.pid, 15)
        process.wait(timeout=30)
        log.close()


def test_a_round_trip(
    server: Server, run_here: Run, articles: list[LabelledArticle], tmp_path: Path
) -> None:
    """Emoji stand before a span: a browser counts them as two."""
    gold = [s for a in articles[:2] for s in a.sentences]
    gold[1] = LabelledSentence(
        **gold[1].model_dump() | {"text": f"😀 {gold[1].text}", "position": 1}
    )
    news = [as_article(LabelledArticle(a.facts, tuple(gold[7 * i : 7 * i + 7])))
            for i, a in enumerate(articles[:2])]  # fmt: skip
    tasks = sample(news, 100, model=None, strategy="random")
    write_records(tmp_path / "sheet.jsonl", tasks)
    assert run_here("tasks", "export", "sheet.jsonl", "--to", "label-studio", "-o", "ls").code == 0

    project = server(
        "POST",
        "/api/projects",
        {
            "title": "Claims",
            "label_config": (tmp_path / "ls" / "config.xml").read_text("utf-8"),
            "expert_instruction": (tmp_path / "ls" / "instructions.md").read_text("utf-8"),
        },
    )["id"]
    rows = json.loads((tmp_path / "ls" / "tasks.json").read_text("utf-8"))
    done = server("POST", f"/api/projects/{project}/import", rows)
    assert done["task_count"] == len(tasks) == 14
    by_id = {f"{s.article_id}#{s.position}": s for s in gold}
    there = server("GET", f"/api/tasks?project={project}&page_size=100")["tasks"]
    for task in there:
        sentence = by_id[task["data"]["task"]]
        result = regions(sentence.text, sentence)
        server("POST", f"/api/tasks/{task['id']}/annotations", {"result": result})
    export = server("GET", f"/api/projects/{project}/export?exportType=JSON")
    (tmp_path / "export.json").write_text(json.dumps(export), encoding="utf-8")

    outcome = run_here(
        *("tasks", "import", "export.json", "--from", "label-studio", "--tasks", "sheet.jsonl"),
        *("--annotator", "ada", "-o", "ada.jsonl"),
    )
    assert (outcome.code, outcome.err) == (0, "")
    assert read_labels(tmp_path / "ada.jsonl") == gold
