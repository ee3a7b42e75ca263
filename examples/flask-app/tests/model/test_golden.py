"""Asks a published model, through the whole application, the questions of golden.json.

    MODEL_PATH=published/file-type/3.3.0 python -m pytest tests/model
"""

import base64
import json
import os
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app.main import application

GOLDEN = json.loads((Path(__file__).parents[2] / "golden.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def client() -> FlaskClient:
    return application({"MODEL_PATH": os.environ["MODEL_PATH"]}).test_client()


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: case["name"])
def test_the_model_gives_the_known_answer(client: FlaskClient, case: dict):
    sent = case["request"]
    body = {"json": sent["json"]} if "json" in sent else {"data": base64.b64decode(sent["bodyBase64"])}
    response = client.open(sent["path"], method=sent["method"], **body)
    expected = case["expected"][response.json["model"]["version"]]
    assert response.status_code == 200
    assert response.json["label"] == expected["label"]
    assert response.json["confident"] is expected["confident"]
    assert response.json["score"] == pytest.approx(expected["score"], abs=GOLDEN["scoreTolerance"])


def test_very_few_bytes_are_answered_without_the_model(client: FlaskClient):
    def label_of(content: bytes) -> str:
        return client.post("/score", data=content).json["label"]

    assert label_of(b"") == "empty"
    assert label_of(b"tiny") == "txt"
    assert label_of(b"\xff\xfe\xfd") == "unknown"
    assert label_of(b" " * 4096 + b"x") == "txt"
