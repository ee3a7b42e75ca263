"""The web application: its routes, around any scorer."""

from dataclasses import dataclass
from typing import Any, Mapping

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import BadRequest, HTTPException, UnsupportedMediaType

from app import __version__
from app.model import Scorer

LARGEST_FILE = 8 * 1024 * 1024  # bytes


@dataclass(frozen=True)
class ModelIdentity:
    """Which model this is. Name, version and digest come from the image, whose build knows exactly what it put
    in; `metadata` is what the data scientist wrote beside the model. They are shown side by side."""

    name: str
    version: str
    digest: str
    metadata: Mapping[str, Any]


def create_app(scorer: Scorer, identity: ModelIdentity) -> Flask:
    """Returns the application. The scorer is passed in, so that the routes can be tested without a model."""
    app = Flask("file-type")
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_FILE
    app.json.sort_keys = False

    @app.get("/healthz")
    def health() -> Response:
        return jsonify(status="ok")

    @app.get("/version")
    def version() -> Response:
        return jsonify(
            app={"name": app.name, "version": __version__},
            model={
                "name": identity.name,
                "version": identity.version,
                "digest": identity.digest,
                "metadata": identity.metadata,
            },
        )

    @app.post("/score")
    def score() -> Response:
        prediction = scorer.score(sent_content())
        return jsonify(
            label=prediction.label,
            description=prediction.description,
            mimeType=prediction.mime_type,
            score=round(prediction.score, 6),
            confident=prediction.confident,
            model={"name": identity.name, "version": identity.version},
        )

    @app.errorhandler(HTTPException)
    def refuse(error: HTTPException) -> tuple[Response, int]:
        return jsonify(error=error.description), error.code or 500

    return app


def sent_content() -> bytes:
    """Returns what a request to /score asks about: the "text" of a JSON object, or else the body as it is."""
    if request.mimetype == "multipart/form-data":
        raise UnsupportedMediaType("Send the file itself, not a form: curl --data-binary @FILE …/score")
    if not request.is_json:
        return request.get_data()
    document = request.get_json()
    text = document.get("text") if isinstance(document, dict) else None
    if not isinstance(text, str):
        raise BadRequest(
            'A JSON request is an object with the text to look at: {"text": "…"}. '
            "To ask about a JSON file itself, send it as application/octet-stream."
        )
    return text.encode("utf-8")
