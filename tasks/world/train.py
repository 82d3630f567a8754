"""Rebuilds the embedded world: `python -m tasks.world.train [--force] [name ...]`, or `make world`.

Trains the five decoders and the encoder that are not there yet, one process per core with one thread each (two threads
on matrices this small are slower than one), and writes `hashes.json`. All of it takes about 15 minutes on two cores.
Another processor or another torch gives other weights of the same quality; the hashes name the ones that are committed.
"""

import argparse
import hashlib
import json
import logging
import os
import shutil
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import torch
import transformers

from tasks.world.decoders import train_decoder
from tasks.world.encoder import train_encoder
from tasks.world.mixtures import MIXTURES
from tasks.world.tokenizers import decoder_tokenizer

logger = logging.getLogger(__name__)

WORLD = Path(__file__).parent
ENCODER = "encoder"


def main() -> None:
    """Read the command line and train what it asks for."""
    names = [mixture.name for mixture in MIXTURES] + [ENCODER]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(names)}; all by default")
    parser.add_argument("--force", action="store_true", help="train also what is there already")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes, one core each")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(names):
        parser.error(f"there is no model {', '.join(sorted(unknown))} in this world, only {', '.join(names)}")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    wanted = [name for name in arguments.names or names if arguments.force or not _folder(name).exists()]
    # Spawned and not forked: a fork of a process that has used torch can hang.
    with ProcessPoolExecutor(arguments.jobs, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
        for name, seconds in zip(wanted, pool.map(_train, wanted), strict=True):
            logger.info("%s took %.0f CPU seconds", name, seconds)
    (WORLD / "hashes.json").write_text(json.dumps(file_hashes(), indent=2) + "\n", encoding="utf-8")


def file_hashes() -> dict[str, str]:
    """The SHA-256 of every file of a checkpoint, by its path below this folder."""
    paths = sorted(path for folder in ("models", ENCODER) for path in (WORLD / folder).rglob("*") if path.is_file())
    return {path.relative_to(WORLD).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def _train(name: str) -> float:
    """Train one model and put it in its place, whole or not at all. Returns its CPU seconds."""
    folder = _folder(name)
    unfinished = folder.with_name(f".{name}-unfinished")
    if name == ENCODER:
        seconds = train_encoder(unfinished)
    else:
        (mixture,) = (mixture for mixture in MIXTURES if mixture.name == name)
        seconds = train_decoder(mixture, decoder_tokenizer(), unfinished)
    if folder.exists():
        shutil.rmtree(folder)
    for path in unfinished.iterdir():
        path.chmod(0o644)  # safetensors files are born readable by their owner only
    unfinished.rename(folder)
    return seconds


def _folder(name: str) -> Path:
    return WORLD / ENCODER if name == ENCODER else WORLD / "models" / name


def _one_thread() -> None:
    """Set up a worker process."""
    torch.set_num_threads(1)
    transformers.utils.logging.disable_progress_bar()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")


if __name__ == "__main__":
    main()
