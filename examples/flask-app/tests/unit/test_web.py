import io

import pytest
from flask.testing import FlaskClient

from app import __version__
from app.model import Prediction
from app.web import LARGEST_FILE, ModelIdentity, create_app


class LengthScorer:
    """Answers with the number of bytes it was given: shows exactly what the routes hand to a scorer."""

    def score(self, content: bytes) -> Prediction:
        return Prediction(f"{len(content)} bytes", "A length", "text/plain", 0.5, True)


@pytest.fixture
def client() -> FlaskClient:
    identity = ModelIdentity("file-type", "3.3.0", "sha256:abc", {"license": "Apache-2.0"})
    return create_app(LengthScorer(), identity).test_client()


def test_health_is_ok(client: FlaskClient):
    response = client.get("/healthz")
    assert (response.status_code, response.json) == (200, {"status": "ok"})


def test_version_names_the_application_and_the_model(client: FlaskClient):
    assert client.get("/version").json == {
        "app": {"name": "file-type", "version": __version__},
        "model": {
            "name": "file-type",
            "version": "3.3.0",
            "digest": "sha256:abc",
            "metadata": {"license": "Apache-2.0"},
        },
    }


def test_the_bytes_of_a_file_are_scored_as_they_are(client: FlaskClient):
    response = client.post("/score", data=b"\x00\xff\r\n", content_type="application/octet-stream")
    assert response.status_code == 200
    assert response.json == {
        "label": "4 bytes",
        "description": "A length",
        "mimeType": "text/plain",
        "score": 0.5,
        "confident": True,
        "model": {"name": "file-type", "version": "3.3.0"},
    }


def test_a_form_s_content_type_does_not_hide_the_bytes(client: FlaskClient):
    response = client.post("/score", data=b"a=b", content_type="application/x-www-form-urlencoded")
    assert response.json["label"] == "3 bytes"


def test_a_text_in_json_is_scored_as_utf_8(client: FlaskClient):
    assert client.post("/score", json={"text": "né"}).json["label"] == "3 bytes"


@pytest.mark.parametrize("document", ["{}", '{"text": 1}', '["text"]', "null"])
def test_json_without_a_text_is_refused_with_what_is_expected(client: FlaskClient, document: str):
    response = client.post("/score", data=document, content_type="application/json")
    assert response.status_code == 400
    assert '{"text": "…"}' in response.json["error"]


def test_broken_json_is_refused(client: FlaskClient):
    response = client.post("/score", data=b"{", content_type="application/json")
    assert response.status_code == 400
    assert response.json["error"]


def test_a_form_with_a_file_is_refused_with_how_to_send_it(client: FlaskClient):
    response = client.post("/score", data={"file": (io.BytesIO(b"x"), "x.txt")})
    assert response.status_code == 415
    assert "--data-binary" in response.json["error"]


def test_a_file_above_the_limit_is_refused(client: FlaskClient):
    response = client.post("/score", data=bytes(LARGEST_FILE + 1), content_type="application/octet-stream")
    assert response.status_code == 413
    assert response.json["error"]


def test_an_unknown_path_answers_in_json_too(client: FlaskClient):
    response = client.get("/nowhere")
    assert response.status_code == 404
    assert response.json["error"]
