"""The data scientist's step: makes one version of the file-type model, ready to be put into blob storage.

    python publish/publish_model.py --wheel 1.0.3 --to published

takes the pretrained model out of that version of the `magika` wheel on PyPI (Apache-2.0) and writes
`published/file-type/<version>/` with everything the application reads. The same wheel always gives the same
bytes. Wheels are kept in --cache, so a second run needs no network. Needs Python 3.11 and pip, nothing else.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

MODEL = "file-type"
HERE = Path(__file__).resolve().parent
# The wheels this example was written with; any other is taken as PyPI gives it.
KNOWN_SHA256 = {
    "magika-0.6.1-py3-none-any.whl": "15838d2469f1394d8e9598bc7fceea1ede7f35aebe9675c6b45c6b5c48315931",
    "magika-1.0.3-py3-none-any.whl": "938d8e033953f2ddeb8c35dc423aa289ca116bfa7a71a778f6e77460f9025803",
}
MODEL_PREFIX = "magika/models/standard_v"
KNOWLEDGE = "magika/config/content_types_kb.min.json"
# Labels the application answers with without asking the model, or where the model is not sure.
OWN_LABELS = ("empty", "txt", "unknown")


def main() -> None:
    arguments = parse_arguments()
    wheel = find_wheel(arguments.wheel, arguments.cache)
    with zipfile.ZipFile(wheel) as archive:
        files = model_files(archive, wheel)
    version = json.loads(files["metadata.json"])["version"]
    folder = arguments.to / MODEL / version
    publish(files, folder)
    print(f"{MODEL} {version}: {len(files)} files, {sum(map(len, files.values())):,} bytes, in {folder}")


def parse_arguments() -> argparse.Namespace:
    cache_root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wheel", required=True, metavar="VERSION", help="version of the magika wheel: 0.6.1, 1.0.3")
    parser.add_argument("--to", type=Path, default=Path("published"), metavar="FOLDER", help="default: published")
    parser.add_argument("--cache", type=Path, default=cache_root / "model-delivery" / "wheels", metavar="FOLDER")
    return parser.parse_args()


def find_wheel(wheel_version: str, cache: Path) -> Path:
    """Returns the wheel from the cache, or from PyPI. The wheel for any platform is enough: it holds the model
    without the command-line program."""
    wheel = cache / f"magika-{wheel_version}-py3-none-any.whl"
    if not wheel.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        download(wheel_version, wheel)
    expected = KNOWN_SHA256.get(wheel.name)
    if expected not in (None, sha256(wheel.read_bytes())):
        raise SystemExit(f"{wheel} is not the wheel this example knows (SHA-256 {expected}). Delete it and try again.")
    return wheel


def download(wheel_version: str, wheel: Path) -> None:
    """Downloads beside the cache and renames: a broken download never looks like a wheel."""
    with tempfile.TemporaryDirectory(dir=wheel.parent) as temporary:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--only-binary=:all:", "--platform=any", f"--dest={temporary}", f"magika=={wheel_version}"]
        if subprocess.run(command, check=False).returncode != 0:
            raise SystemExit(f"pip could not download magika {wheel_version}: its message is above.")
        os.replace(Path(temporary) / wheel.name, wheel)


def model_files(archive: zipfile.ZipFile, wheel: Path) -> dict[str, bytes]:
    """Returns the published files by name."""
    folder = model_folder(archive, wheel)
    config = archive.read(f"{folder}/config.min.json")
    model = archive.read(f"{folder}/model.onnx")
    return {
        "model.onnx": model,
        "config.min.json": config,
        "labels.json": as_json(labels(json.loads(config), json.loads(archive.read(KNOWLEDGE)))),
        "metadata.json": as_json(metadata(folder, wheel, model)),
        "LICENSE": (HERE / "LICENSE").read_bytes(),
        "NOTICE": (HERE / "NOTICE").read_bytes(),
    }


def model_folder(archive: zipfile.ZipFile, wheel: Path) -> str:
    found = sorted({name.rpartition("/")[0] for name in archive.namelist() if name.startswith(MODEL_PREFIX)})
    if len(found) != 1 or f"{found[0]}/config.min.json" not in archive.namelist():
        raise SystemExit(f"{wheel.name} does not hold one model of the standard_v3 family. Take wheel 0.6.1 or later.")
    return found[0]


def labels(config: dict, knowledge: dict) -> dict:
    """Returns what the application needs to know of each content type that it can answer with."""
    names = {config["overwrite_map"].get(name, name) for name in config["target_labels_space"]} | set(OWN_LABELS)
    return {
        name: {
            "description": knowledge[name]["description"] or name,
            "mimeType": knowledge[name]["mime_type"] or "application/octet-stream",
            "text": knowledge[name]["is_text"],
        }
        for name in sorted(names)
    }


def metadata(folder: str, wheel: Path, model: bytes) -> dict:
    """Says what the model is and where it comes from. standard_v3_2 is version 3.2.0."""
    upstream = folder.rpartition("/")[2]
    return {
        "name": MODEL,
        "version": upstream.removeprefix("standard_v").replace("_", ".") + ".0",
        "description": "Tells the content type of a file from its first and last bytes",
        "format": "onnx",
        "license": "Apache-2.0",
        "modelSha256": sha256(model),
        "source": {
            "package": "magika",
            "version": wheel.name.split("-")[1],
            "model": upstream,
            "wheel": wheel.name,
            "wheelSha256": sha256(wheel.read_bytes()),
        },
    }


def publish(files: dict[str, bytes], folder: Path) -> None:
    """Writes the version's folder whole or not at all. A published version never changes."""
    if folder.exists():
        if {path.name: path.read_bytes() for path in folder.iterdir()} != files:
            raise SystemExit(f"{folder} exists with other content. A published version never changes.")
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent))
    try:
        for name, content in files.items():
            (temporary / name).write_bytes(content)
        temporary.chmod(0o755)
        os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def as_json(document: dict) -> bytes:
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode("utf-8")


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    main()
