"""A trained router in the lake: `routers/<name>/<content>/…`, JSON and safetensors, with a manifest that is written last.

save_router(lake, "kmeans-tfidf", "kmeans-tfidf", router)
  →  ["routers/kmeans-tfidf/5f0c…/manifest.json", "routers/kmeans-tfidf/5f0c…/clusters.safetensors", …]
"""

import json
from collections.abc import Sequence
from pathlib import Path

from tasks.config import Router as Section
from tasks.lake.files import Lake, folder_name
from tasks.lake.fingerprints import fingerprint
from tasks.routers import Router, load_router


def save_router(lake: Lake, name: str, kind: str, router: Router) -> list[str]:
    """Write the router's files, and return their paths. A router whose manifest is there is whole."""
    files = router.save()
    folder = f"routers/{folder_name(name)}/{fingerprint(files)}"
    for file, content in files.items():
        lake.write(f"{folder}/{file}", content)
    manifest = {"kind": kind, "files": sorted(files), "models": list(router.models)}
    lake.write(f"{folder}/manifest.json", json.dumps(manifest, indent=1).encode())
    return [f"{folder}/manifest.json", *(f"{folder}/{file}" for file in sorted(files))]


def load_saved(lake: Lake, paths: Sequence[str]) -> Router:
    """The router whose files `save_router` wrote to `paths`."""
    path = next(path for path in paths if path.endswith("/manifest.json"))
    manifest = json.loads(lake.read(path))
    folder = path.removesuffix("manifest.json")
    return load_router(manifest["kind"], {file: lake.read(folder + file) for file in manifest["files"]})


def encoder_fingerprint(router: Section) -> str:
    """What the router's encoder is: a hub name, or the content of a folder, since other weights make another router."""
    encoder = str(router.settings.get("encoder", ""))
    folder = Path(encoder)
    if not folder.is_absolute() or not folder.is_dir():
        return encoder
    return fingerprint([(file.name, file.read_bytes()) for file in sorted(folder.iterdir()) if file.is_file()])
