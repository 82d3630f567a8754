"""What vLLM's model takes: memory of its weights, seconds to sleep and to wake. Nothing here may fail: it is only measured.

    device_of(model)                         "NVIDIA H100 80GB HBM3 x 2"
    weights_gb(model, model_config)          16.06
    doze(engine, 16.06)                      (2.9, 0.6)

A safetensors file begins with its header's length (8 bytes, little endian) and the header, JSON: name → dtype, shape, data_offsets.
"""

import json
import math
import struct
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from tasks.config import Model

_LONGEST_HEADER = 100_000_000  # bytes, as safetensors has it


def device_of(model: Model) -> str:
    """What vLLM runs the model on."""
    from vllm.platforms import current_platform

    name: str = current_platform.device_type
    with suppress(Exception):  # of a platform that has no name
        name = name if current_platform.is_cpu() else current_platform.get_device_name()
    count = model.tensor_parallel * model.pipeline_parallel
    return name if count == 1 else f"{name} x {count}"


def weights_gb(model: Model, config: Any) -> float | None:
    """Memory in 10⁹ bytes, by the checkpoint's safetensors files and the type that vLLM gives them (`config`: its ModelConfig).

    Of GPUs that share the model, all together. None where there are no such files, or they cannot be read.
    """
    with suppress(Exception):
        total = sum(_bytes(file, None if config.quantization else config.dtype.itemsize) for file in _files(model))
        return total / 1e9 if total else None
    return None


def can_sleep() -> bool:
    """Whether vLLM can put a model to sleep here: on an NVIDIA GPU, one model to a process."""
    from vllm import envs
    from vllm.platforms import current_platform

    with suppress(Exception):
        return bool(current_platform.is_cuda() and current_platform.is_cumem_allocator_available() and envs.VLLM_ENABLE_V1_MULTIPROCESSING)
    return False


def doze(engine: Any, weights_gb: float | None) -> tuple[float | None, float | None]:
    """Seconds that vLLM's engine takes to go to sleep (its weights moved to the machine's memory, its cache dropped) and to wake.

    Nulls where it fails, and where the machine's memory might not hold the weights: then it is not tried.
    """
    if weights_gb is None or _free_gb() < 2 * weights_gb:
        return None, None
    with suppress(Exception):
        began = time.perf_counter()
        engine.sleep(level=1)
        asleep = time.perf_counter()
        engine.wake_up()
        return asleep - began, time.perf_counter() - asleep
    return None, None


def _files(model: Model) -> list[Path]:
    """The files of the checkpoint that hold its weights."""
    from huggingface_hub import snapshot_download

    folder = Path(model.path)
    if not folder.is_dir():
        kept = ["*.safetensors", "*.safetensors.index.json"]
        folder = Path(snapshot_download(model.path, revision=model.revision, allow_patterns=kept, local_files_only=True))
    files = sorted(folder.glob("*.safetensors"))
    index = folder / "model.safetensors.index.json"
    if index.is_file():  # other files may hold the same weights in another form
        named = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        files = [file for file in files if file.name in named]
    return files


def _bytes(file: Path, bytes_each: int | None) -> int:
    """Bytes of the file's numbers; `bytes_each`: what one of them takes, None: as they stand there."""
    with file.open("rb") as content:
        (length,) = struct.unpack("<Q", content.read(8))
        header = json.loads(content.read(min(length, _LONGEST_HEADER)))
    tensors = [tensor for name, tensor in header.items() if name != "__metadata__"]
    if bytes_each is not None:
        shapes: list[list[int]] = [tensor["shape"] for tensor in tensors]
        return bytes_each * sum(math.prod(shape) for shape in shapes)
    ends: list[tuple[int, int]] = [tensor["data_offsets"] for tensor in tensors]
    return sum(end - start for start, end in ends)


def _free_gb() -> float:
    """Memory of the machine that is free, in 10⁹ bytes; 0 where that is not known."""
    with suppress(OSError, StopIteration, ValueError, IndexError):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return int(next(line for line in lines if line.startswith("MemAvailable:")).split()[1]) * 1024 / 1e9
    return 0.0
