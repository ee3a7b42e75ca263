"""Puts the application together from its environment."""

import os
from pathlib import Path
from typing import Mapping

from flask import Flask

from app.model import FileTypeModel, ModelError, read_json
from app.web import ModelIdentity, create_app


def application(environment: Mapping[str, str] = os.environ) -> Flask:
    """Loads the model and returns the application; ends the process with the reason when it cannot, so that a
    container without a working model never becomes ready."""
    folder = Path(environment.get("MODEL_PATH", "/app/model"))
    try:
        model = FileTypeModel(folder)
        identity = identify(environment, read_json(folder / "metadata.json"))
    except ModelError as error:
        raise SystemExit(f"The application cannot start: {error}") from error
    model.score(b"The first prediction is slower than the others: made here, no user waits for it.")
    return create_app(model, identity)


def identify(environment: Mapping[str, str], metadata: Mapping[str, object]) -> ModelIdentity:
    """Outside an image nobody sets the variables; the model's own metadata then gives its name and version."""
    return ModelIdentity(
        name=environment.get("MODEL_NAME", str(metadata.get("name", "unknown"))),
        version=environment.get("MODEL_VERSION", str(metadata.get("version", "unknown"))),
        digest=environment.get("MODEL_DIGEST", "unknown"),
        metadata=metadata,
    )
