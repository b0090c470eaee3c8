"""Models on the hub: pushed and fetched through a stand-in for it on this machine.

The stand-in speaks as much of the hub's protocol as its own client asks for.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from claimstance.errors import InputError
from claimstance.hub import find_model
from claimstance.inference import Text, load_model

Refuses = Callable[..., InputError]

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class StandIn(ThreadingHTTPServer):
    """A hub with one account; ``models`` holds the files of each repository."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.models: dict[str, dict[str, bytes]] = {}


class Handler(BaseHTTPRequestHandler):
    """Answers what huggingface_hub asks when it pushes and fetches a model."""

    server: StandIn

    def log_message(self, *args: Any) -> None:
        """Say nothing."""

    def _answer(self, content: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _answer_json(self, content: Any) -> None:
        self._answer(json.dumps(content).encode(), Content_Type="application/json")

    def _not_there(self) -> None:
        self._answer(b"", 404, X_Error_Code="EntryNotFound")

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"]))

    def do_GET(self) -> None:
        """A repository's list of files, or a file."""
        parts = unquote(self.path.partition("?")[0]).strip("/").split("/")
        if parts[:2] == ["api", "models"]:
            name = "/".join(parts[2:4])
            files = self.server.models.get(name)
            if files is None or parts[6:]:  # no such repository, or a folder in it
                self._not_there()
            elif parts[4:5] == ["tree"]:
                self._answer_json(
                    [
                        {"type": "file", "path": file, "size": len(content), "oid": COMMIT}
                        for file, content in files.items()
                    ]
                )
            else:
                siblings = [{"rfilename": file} for file in files]
                self._answer_json({"id": name, "sha": COMMIT, "siblings": siblings})
            return
        content = self.server.models.get("/".join(parts[:2]), {}).get("/".join(parts[4:]))
        if content is None:
            self._not_there()
        else:
            self._answer(content, ETag=f'"{hash(content)}"', X_Repo_Commit=COMMIT)

    do_HEAD = do_GET  # noqa: N815

    def do_POST(self) -> None:
        """A new repository, or a commit to one."""
        body = self._body()
        parts = self.path.partition("?")[0].strip("/").split("/")
        if parts == ["api", "repos", "create"]:
            wanted = json.loads(body)
            name = f"{wanted['organization']}/{wanted['name']}"
            self.server.models.setdefault(name, {})
            self._answer_json({"url": f"http://{self.headers['Host']}/{name}", "name": name})
        elif parts[4:5] == ["preupload"]:
            files = json.loads(body)["files"]
            answer = [
                {"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in files
            ]
            self._answer_json({"files": answer})
        elif parts[4:5] == ["commit"]:
            for line in body.decode().splitlines():
                entry = json.loads(line)
                if entry["key"] == "file":
                    content = base64.b64decode(entry["value"]["content"])
                    name = "/".join(parts[2:4])
                    self.server.models[name][entry["value"]["path"]] = content
            url = f"http://{self.headers['Host']}/{'/'.join(parts[2:4])}/commit/{COMMIT}"
            self._answer_json({"commitUrl": url, "commitOid": COMMIT, "success": True})
        else:
            self._answer_json({})


@pytest.fixture
def hub() -> Iterator[StandIn]:
    server = StandIn()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def with_hub(hub: StandIn, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run Python with the stand-in for a hub: its address is read once, when it is imported."""
    host, port = hub.server_address[:2]
    environment = {
        **os.environ,
        "HF_ENDPOINT": f"http://{host!s}:{port}",
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *map(str, arguments)]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, cwd=tmp_path, timeout=120
        )

    return run


PUSH = """
import sys
from claimstance.model import ClaimstanceModel
ClaimstanceModel.from_pretrained(sys.argv[1]).push_to_hub("somebody/their-model", token="hf_x")
"""

FETCH = """
import sys
from transformers import AutoModel, AutoTokenizer
import claimstance.model
AutoModel.from_pretrained("somebody/their-model").save_pretrained(sys.argv[1])
print(AutoTokenizer.from_pretrained("somebody/their-model")("said")["input_ids"])
"""


def test_pushed_and_fetched_it_is_the_same_model(
    hub: StandIn,
    with_hub: Callable[..., subprocess.CompletedProcess[str]],
    tiny_model: Path,
    tmp_path: Path,
) -> None:
    pushed = with_hub("-c", PUSH, tiny_model)
    assert pushed.returncode == 0, pushed.stderr
    files = hub.models["somebody/their-model"]
    assert {name for name in files if not name.startswith(".")} == {
        "README.md",
        "claimstance.json",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    for name in ("claimstance.json", "tokenizer.json"):
        assert files[name] == (tiny_model / name).read_bytes()

    fetched = with_hub("-c", FETCH, tmp_path / "fetched")
    assert fetched.returncode == 0, fetched.stderr
    model, again = load_model(tiny_model), load_model(tmp_path / "fetched")
    text = Text("A title", ["The mill is closed, she said.", "It is not."])
    first, second = (next(iter(m.score([text]))) for m in (model, again))
    assert (first.stance == second.stance).all()
    assert fetched.stdout.strip() == str(again.tokenizer.encode("said").ids)  # type: ignore[attr-defined]


def test_the_command_line_takes_a_name_on_the_hub(
    hub: StandIn,
    with_hub: Callable[..., subprocess.CompletedProcess[str]],
    tiny_model: Path,
    tmp_path: Path,
) -> None:
    files = ("claimstance.json", "config.json", "model.safetensors", "tokenizer.json")
    hub.models["somebody/their-model"] = {f: (tiny_model / f).read_bytes() for f in files}
    hub.models["somebody/their-model"]["pytorch_model.bin"] = b"a pickle"
    (tmp_path / "mill.txt").write_text("The mill is closed.\n", encoding="utf-8")
    command = ["-m", "claimstance", "classify", "mill.txt", "-o", "out.jsonl", "--model"]
    done = with_hub(*command, "somebody/their-model")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "out.jsonl").read_text(encoding="utf-8"))["model"] == "tiny"
    assert not list((tmp_path / "hf").rglob("*.bin"))
    # From then on without the hub.
    hub.shutdown()
    hub.server_close()
    assert with_hub(*command, "somebody/their-model").returncode == 0
    other = with_hub(*command, "somebody/another")
    assert other.returncode == 2
    expected = "model 'somebody/another': expected a folder, or a name that can be fetched"
    assert expected in other.stderr


def test_a_folder_is_a_folder(tiny_model: Path, tmp_path: Path) -> None:
    assert find_model(str(tiny_model)) == tiny_model
    assert find_model(str(tmp_path / "missing")) == tmp_path / "missing"
