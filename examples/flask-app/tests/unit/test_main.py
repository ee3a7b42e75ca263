import json
from pathlib import Path

import pytest

from app.main import application, identify

METADATA = {"name": "file-type", "version": "3.3.0"}


def test_the_image_s_variables_name_the_model():
    environment = {"MODEL_NAME": "file-type", "MODEL_VERSION": "3.2.0", "MODEL_DIGEST": "sha256:abc"}
    identity = identify(environment, METADATA)
    assert (identity.name, identity.version, identity.digest) == ("file-type", "3.2.0", "sha256:abc")
    assert identity.metadata == METADATA


def test_outside_an_image_the_model_s_metadata_names_it():
    identity = identify({}, METADATA)
    assert (identity.name, identity.version, identity.digest) == ("file-type", "3.3.0", "unknown")


def test_without_a_model_the_application_does_not_start_and_says_why(tmp_path: Path):
    with pytest.raises(SystemExit, match=r"There is no config\.min\.json in .* publish/publish_model\.py"):
        application({"MODEL_PATH": str(tmp_path)})


def test_a_broken_model_file_is_named(tmp_path: Path):
    (tmp_path / "config.min.json").write_text("{")
    with pytest.raises(SystemExit, match=r"config\.min\.json is not valid JSON"):
        application({"MODEL_PATH": str(tmp_path)})


def test_a_model_that_needs_other_features_is_refused(tmp_path: Path):
    config = {"mid_size": 512, "use_inputs_at_offsets": False}
    (tmp_path / "config.min.json").write_text(json.dumps(config))
    with pytest.raises(SystemExit, match="does not do"):
        application({"MODEL_PATH": str(tmp_path)})
