"""The file-type model: its files, and what it says about a file."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping, Protocol

import onnxruntime

from app.features import FeatureShape, encode, strip_beginning


class ModelError(Exception):
    """The model's folder is incomplete, or the model asks for something this application does not do."""


@dataclass(frozen=True)
class Label:
    """What is known of one kind of file."""

    description: str
    mime_type: str
    text: bool


@dataclass(frozen=True)
class Prediction:
    """One answer: `score` is the model's probability (0 to 1); `confident` is false where it was below the
    label's threshold, and `label` then says only "text" or "unknown"."""

    label: str
    description: str
    mime_type: str
    score: float
    confident: bool


class Scorer(Protocol):
    """What the web application needs of a model."""

    def score(self, content: bytes) -> Prediction: ...


@dataclass(frozen=True)
class Rules:
    """How a model's raw answer becomes a label: the part of `config.min.json` that is not about features."""

    labels: Mapping[str, Label]
    thresholds: Mapping[str, float]
    default_threshold: float
    overwrite: Mapping[str, str]

    def decide(self, raw_label: str, score: float) -> Prediction:
        """Returns the label to answer with. Below its threshold a label is not trusted, only whether the
        content is text (the rule of the `magika` package's high-confidence mode)."""
        label = self.overwrite.get(raw_label, raw_label)
        confident = score >= self.thresholds.get(raw_label, self.default_threshold)
        if not confident:
            label = "txt" if self.labels[label].text else "unknown"
        return self.answer(label, score, confident)

    def answer(self, label: str, score: float, confident: bool = True) -> Prediction:
        known = self.labels[label]
        return Prediction(label, known.description, known.mime_type, score, confident)


class FileTypeModel:
    """A published version of the model, loaded from its folder and run on the CPU by ONNX Runtime."""

    def __init__(self, folder: Path) -> None:
        """Loads `model.onnx`, `config.min.json` and `labels.json`. Raises ModelError."""
        config = read_json(folder / "config.min.json")
        self._refuse_unknown_features(config)
        self._shape = FeatureShape(
            config["beg_size"], config["end_size"], config["block_size"], config["padding_token"]
        )
        self._least_bytes: int = config["min_file_size_for_dl"]
        self._targets: list[str] = config["target_labels_space"]
        self._rules = Rules(
            labels={
                name: Label(entry["description"], entry["mimeType"], entry["text"])
                for name, entry in read_json(folder / "labels.json").items()
            },
            thresholds=config["thresholds"],
            default_threshold=config["medium_confidence_threshold"],
            overwrite=config["overwrite_map"],
        )
        self._session = self._open_session(folder / "model.onnx")

    def score(self, content: bytes) -> Prediction:
        """Says what kind of file these bytes are. Too few bytes to judge are only told apart as text or not."""
        if len(content) == 0:
            return self._rules.answer("empty", 1.0)
        if len(strip_beginning(content, self._shape)) < self._least_bytes:
            return self._rules.answer("txt" if is_utf8(content) else "unknown", 1.0)
        tokens = encode(content, self._shape).reshape(1, -1)
        probabilities = self._session.run(["target_label"], {"bytes": tokens})[0][0]
        best = int(probabilities.argmax())
        return self._rules.decide(self._targets[best], float(probabilities[best]))

    @staticmethod
    def _refuse_unknown_features(config: Mapping[str, Any]) -> None:
        if config["mid_size"] > 0 or config["use_inputs_at_offsets"]:
            raise ModelError(
                "This model reads bytes from the middle of a file or at fixed offsets, which this version of "
                "the application does not do. Publish a model of the standard_v3 family, or extend app/features.py."
            )

    @staticmethod
    def _open_session(path: Path) -> onnxruntime.InferenceSession:
        if not path.is_file():
            raise ModelError(f"There is no {path.name} in {path.parent}. {HOW_TO_GET_A_MODEL}")
        options = onnxruntime.SessionOptions()
        # One thread a request: the web server's threads and the replicas share the CPU, not one inference.
        options.intra_op_num_threads = 1
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


HOW_TO_GET_A_MODEL = (
    "In the image it is put there by BuildModelImage; on your own machine run publish/publish_model.py "
    "and set MODEL_PATH to the version's folder."
)


def read_json(path: Path) -> dict[str, Any]:
    """Reads one JSON file of the model. Raises ModelError naming the file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(f"There is no {path.name} in {path.parent}. {HOW_TO_GET_A_MODEL}") from error
    except ValueError as error:
        raise ModelError(f"{path} is not valid JSON: {error}") from error


def is_utf8(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
