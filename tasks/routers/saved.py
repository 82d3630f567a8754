"""A trained router in the lake: `routers/<name>/<content>/…`, JSON and safetensors, with a manifest that is written last.

save_router(lake, "kmeans-encoder", "kmeans-encoder", router)
  →  ["routers/kmeans-encoder/5f0c…/manifest.json", "routers/kmeans-encoder/5f0c…/clusters.safetensors", …,
      "encoders/93ab…/model.safetensors", …]

An encoder that is used as it came is large, and many routers share it: it is in the lake once, under the fingerprint of its content.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from tasks.config import Router as Section
from tasks.lake.files import Lake, folder_name
from tasks.lake.fingerprints import fingerprint
from tasks.routers import Router, load_router

FOLDER = "encoder/"  # of encoders among the files that a router is saved as: "encoder/<fingerprint>/model.safetensors"


def save_router(lake: Lake, name: str, kind: str, router: Router) -> list[str]:
    """Write the router's files, and return their paths. A router whose manifest is there is whole."""
    files = router.save()
    # The names of an encoder's files say what is in them.
    folder = f"routers/{folder_name(name)}/{fingerprint({file: b'' if _is_shared(file) else content for file, content in files.items()})}"
    paths = {file: _path(folder, file) for file in sorted(files)}
    for file, path in paths.items():
        if not _is_shared(file) or not lake.exists(path):
            lake.write(path, files[file])
    manifest = {"kind": kind, "files": list(paths), "models": list(router.models)}
    lake.write(f"{folder}/manifest.json", json.dumps(manifest, indent=1).encode())
    return [f"{folder}/manifest.json", *paths.values()]


def load_saved(lake: Lake, paths: Sequence[str]) -> Router:
    """The router whose files `save_router` wrote to `paths`."""
    path = next(path for path in paths if path.endswith("/manifest.json"))
    manifest = json.loads(lake.read(path))
    folder = path.removesuffix("/manifest.json")
    own = {file: lake.read(_path(folder, file)) for file in manifest["files"] if not _is_shared(file)}
    return load_router(manifest["kind"], _Files(lake, own))


class _Files(dict[str, bytes]):
    """The files of a router; an encoder's are read when they are asked for, and not if another router has loaded it."""

    def __init__(self, lake: Lake, own: dict[str, bytes]) -> None:
        super().__init__(own)
        self.lake = lake

    def __missing__(self, file: str) -> bytes:
        if not _is_shared(file):
            raise KeyError(file)
        return self.lake.read(_path("", file))


def _is_shared(file: str) -> bool:
    return file.startswith(FOLDER)


def _path(folder: str, file: str) -> str:
    """Where a file of the router in `folder` is in the lake."""
    return f"encoders/{file.removeprefix(FOLDER)}" if _is_shared(file) else f"{folder}/{file}"


def encoder_fingerprint(router: Section) -> str:
    """What the router's encoders are: hub names, or the content of folders, since other weights make another router."""
    names = [value for setting in router.settings.values() for value in (setting if isinstance(setting, list) else [setting])]
    folders = [Path(name) for name in names if isinstance(name, str) and Path(name).is_absolute() and Path(name).is_dir()]
    files = [file for folder in folders for file in sorted(folder.rglob("*")) if file.is_file()]
    return fingerprint(str(names), [(file.name, file.read_bytes()) for file in files])
