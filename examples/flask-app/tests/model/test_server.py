"""Starts the server as the container does, with the model of MODEL_PATH."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Iterator

import pytest

FOLDER = Path(__file__).parents[2]


@pytest.fixture
def server() -> Iterator[tuple[subprocess.Popen, str]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "PORT": str(port), "MODEL_PATH": str(Path(os.environ["MODEL_PATH"]).resolve())}
    process = subprocess.Popen([sys.executable, "-m", "app"], cwd=FOLDER, env=environment)
    yield process, f"http://127.0.0.1:{port}"
    process.kill()
    process.wait()


def get_when_up(process: subprocess.Popen, url: str) -> bytes:
    while process.poll() is None:
        try:
            with urllib.request.urlopen(url) as response:
                return response.read()
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"the server ended with code {process.returncode}")


def test_it_answers_and_ends_cleanly_when_it_is_told_to(server: tuple[subprocess.Popen, str]):
    process, url = server
    assert json.loads(get_when_up(process, f"{url}/healthz")) == {"status": "ok"}
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 0
