"""The engine on vLLM: continuous batching, prefix caching, as many GPUs as the run file says.

    engine = VllmEngine(Model(name="llama", path="meta-llama/Llama-3.1-8B", tensor_parallel=2), Sampling())
    engine.add(requests)
    engine.step()                        # what has finished meanwhile

Each sample is a request of its own with its own seed: so its tokens, finish reason and times are its own, and because siblings
come one after another, the prompt that they share (and the examples that all prompts begin with) is read once, by prefix caching.

The context is the model's own or, if the memory left by the weights holds less, what it holds; a sample that needs more fails with
a hint, while one that the model itself has no room for is "prompt-too-long", as everywhere. On GPUs weights keep the checkpoint's
type; on CPUs everything is float32, uncompiled, with a cache of 1 GiB (VLLM_CPU_KVCACHE_SPACE: another size, in GiB).

Where vLLM can put a model to sleep (on GPUs), that is tried once, and timed, when the engine is closed. A model that cannot be loaded
so (its weights are then in another allocator, which may need more memory), or ran out of memory, is loaded without.

A seed decides a sample's text as far as rounding goes, which depends on the batch: see tests/vllm for how far that is.
"""

import gc
import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tasks.config import Model, Sampling
from tasks.errors import ModelUnusable
from tasks.sampling.engines import Completion, Failure, FinishReason, Load, Request
from tasks.sampling.engines.loading import why_not_loaded
from tasks.sampling.engines.tokens import cut, decode, encode, end_ids
from tasks.sampling.engines.vllm_memory import can_sleep, device_of, doze, weights_gb
from tasks.sampling.engines.vllm_processes import forget, is_out_of_memory, new_log, prepare, tell_of_death, what_to_do, what_went_wrong

_AHEAD = 4  # times as many requests as run at once: the scheduler never runs dry
_CPU_CACHE_BYTES = 2**30
_CPU_BLOCK = 32  # tokens; the default of 128 is longer than many prompts, and only whole blocks are shared
_LORA_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # that vLLM knows


class VllmEngine:
    """An `Engine`; see the protocol."""

    def __init__(self, model: Model, sampling: Sampling) -> None:
        """Load the model and warm it up. Raises ModelUnusable if it cannot be loaded, or not be sampled as the run file says."""
        self.load: Load | None = None
        self._model, self._sampling = model, sampling
        self._stops = [stop for stop in sampling.stop_strings if stop]
        self._log = new_log()
        self._numbers = count()
        self._open: dict[str, tuple[Request, list[int]]] = {}  # by vLLM's id: what it works on
        self._answered: list[Completion | Failure] = []  # without vLLM
        self._encoded: dict[str, list[int]] = {}  # prompts of the last requests: their siblings may follow
        self._engine: Any = None
        self._rows = 0  # that run at once at most
        self._may_sleep, self._can_sleep = True, False
        try:
            prepare(self._log)
            self._lora = _lora(model)
            self._load(None)
        except BaseException:
            self.close()
            raise

    def room(self) -> int:
        """Some batches ahead."""
        return max(0, _AHEAD * self._rows - len(self._open))

    def add(self, requests: Sequence[Request]) -> None:
        """Tokenise these and hand them to vLLM, which reads and writes as many at once as fit."""
        new = [request.prompt for request in requests if request.prompt not in self._encoded]
        ids = dict(zip(new, encode(self._tokenizer, new, chat=self._model.chat, name=self._model.name), strict=True))
        self._encoded = {request.prompt: ids.get(request.prompt) or self._encoded[request.prompt] for request in requests}
        for request in requests:
            self._submit(request, self._encoded[request.prompt])

    def step(self) -> list[Completion | Failure]:
        """One step of vLLM. Raises RuntimeError if it is dead, or if memory runs out even for one sample at a time."""
        finished, self._answered = self._answered, []
        if self._open:
            try:
                outputs = self._engine.step()
            except Exception as error:  # the engine's process is gone, or (in this process) anything that torch raises
                self._recover(error)
                outputs = []
            finished += self._completions([output for output in outputs if output.finished])
        return finished

    def close(self) -> None:
        """End vLLM's processes, and give back the memory of what ran in this one."""
        if self.load is not None and self._can_sleep and not self._open:  # all is sampled: whatever goes wrong now costs two figures
            self._can_sleep = False
            sleep_s, wake_s = doze(self._engine, self.load.weights_gb)
            self.load = replace(self.load, sleep_s=sleep_s, wake_s=wake_s)
        engine, self._engine = self._engine, None
        if engine is not None:
            _shut_down(engine)
        forget(self._log)

    def _load(self, rows: int | None) -> None:
        """Start vLLM with at most `rows` samples at once; None: as many as it likes."""
        prepare(self._log)
        from vllm import EngineArgs
        from vllm.usage.usage_lib import UsageContext
        from vllm.v1.engine.llm_engine import LLMEngine

        began, self._can_sleep = time.perf_counter(), False
        given: dict[str, Any] = {}
        try:
            given = self._arguments(rows)
            arguments = EngineArgs(**given)
            config = arguments.create_engine_config(UsageContext.LLM_CLASS)
            self._context = config.model_config.max_model_len
            self._engine = LLMEngine.from_vllm_config(config, UsageContext.LLM_CLASS)
            tell_of_death(self._engine.engine_core)
            self._engine.logger_manager = None  # each sample's times are wanted, statistics of the engine are not
        except Exception as error:  # vLLM and what it calls raise a dozen kinds here, all about what the user asked for
            reason = what_went_wrong(self._log)
            if "max_num_seqs" in reason and (rows is None or rows > 1):
                self._log.unlink(missing_ok=True)
                return self._load((rows or 256) // 2)
            if given.get("enable_sleep_mode"):
                self._may_sleep = False
                self._log.unlink(missing_ok=True)
                return self._load(rows)
            hint = what_to_do(f"{reason} {error}")
            said = reason or (_text(error) if Path(self._model.path).is_dir() else why_not_loaded(self._model, error))
            raise ModelUnusable(f"model {self._model.name!r}: {self._model.path} cannot be loaded by vLLM: {said}{hint}") from error
        config = self._engine.vllm_config
        self._fitting = min(self._context, config.model_config.max_model_len)
        self._rows = int(config.scheduler_config.max_num_seqs)
        self._tokenizer = self._engine.get_tokenizer()
        self._settings = self._sampling_settings(config.model_config)
        self._warm_up()
        self.load = Load("vllm", device_of(self._model), time.perf_counter() - began, weights_gb(self._model, config.model_config))
        self._can_sleep = config.model_config.enable_sleep_mode

    def _arguments(self, rows: int | None) -> dict[str, Any]:
        """What vLLM is started with."""
        from vllm.platforms import current_platform

        model = self._model
        arguments: dict[str, Any] = {
            "model": model.path,
            "tokenizer_mode": "hf",  # the tokenizer that transformers has for the model: the same prompt in every engine
            "revision": model.revision,
            "tokenizer_revision": model.revision,
            "trust_remote_code": model.trust_remote_code,
            "tensor_parallel_size": model.tensor_parallel,
            "pipeline_parallel_size": model.pipeline_parallel,
            "gpu_memory_utilization": model.gpu_memory,
            "quantization": model.quantization,
            "max_model_len": -1,  # what fits
            "enable_prefix_caching": True,
            "use_tqdm_on_load": False,
            "enable_sleep_mode": self._may_sleep and can_sleep(),
        }
        if rows is not None:
            arguments["max_num_seqs"] = rows
        if self._lora is not None:
            arguments |= {"enable_lora": True, "max_loras": 1, "max_lora_rank": self._lora[1]}
        if current_platform.is_cpu():
            # With chunks, a seeded sample makes vLLM 0.32 fail on CPUs ("CPU Generator does not use offset").
            arguments |= {"dtype": "float32", "enforce_eager": True, "enable_chunked_prefill": False}
            arguments |= {"block_size": _CPU_BLOCK, "kv_cache_memory_bytes": _CPU_CACHE_BYTES}
        return arguments

    def _sampling_settings(self, config: Any) -> dict[str, Any]:
        """What all samples share, as vLLM names it."""
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        sampling = self._sampling
        declared = ((config.try_get_generation_config() or {}).get("eos_token_id"), getattr(config.hf_text_config, "eos_token_id", None))
        settings = {
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": sampling.top_k,
            "repetition_penalty": sampling.repetition_penalty,
            "stop": self._stops,
            "stop_token_ids": sorted(end_ids(self._tokenizer, declared, self._stops)),
            "detokenize": bool(self._stops),  # texts are made from whole completions; vLLM only looks for stop strings
            "output_kind": RequestOutputKind.FINAL_ONLY,
        }
        try:
            SamplingParams(**settings)
        except Exception as error:  # its own kind, which is a ValueError in some versions only
            raise ModelUnusable(f"model {self._model.name!r}: vLLM cannot sample like this: {_text(error)}") from error
        return settings

    def _warm_up(self) -> None:
        """A few tokens, so that what happens at a first request is not in the first sample's latency."""
        request = Request("", 0, "", 0)
        self._submit(request, [self._tokenizer.bos_token_id or 0], most=4)
        while self._open:
            self.step()
        self._answered.clear()

    def _submit(self, request: Request, ids: list[int], most: int | None = None) -> None:
        """Hand one sample to vLLM, or answer it at once if there is no room for it."""
        from vllm import SamplingParams
        from vllm.v1.engine.exceptions import EngineDeadError

        room = self._context - len(ids)
        if room < 1:
            self._answered.append(Completion(request.query_id, request.sample, "", "prompt-too-long", len(ids), 0, 0.0))
            return
        tokens = min(most or self._sampling.max_new_tokens, room)
        if len(ids) + tokens > self._fitting:
            error = RuntimeError(
                f"model {self._model.name!r}: memory holds {self._fitting:,} tokens of context, but a prompt of {len(ids):,} and "
                f"{tokens:,} new tokens were asked for; raise gpu_memory or tensor_parallel, or lower sampling.max_new_tokens"
            )
            self._answered.append(Failure(request.query_id, request.sample, error))
            return
        number = str(next(self._numbers))
        params = SamplingParams(**self._settings, seed=request.seed, max_tokens=tokens)
        self._open[number] = (request, ids)
        try:
            self._engine.add_request(number, {"prompt_token_ids": ids}, params, lora_request=self._lora[0] if self._lora else None)
        except EngineDeadError:  # as the next step will say
            return
        except Exception as error:  # about this request
            del self._open[number]
            self._answered.append(Failure(request.query_id, request.sample, error))

    def _completions(self, outputs: Sequence[Any]) -> list[Completion | Failure]:
        """What vLLM has finished."""
        texts = decode(self._tokenizer, [output.outputs[0].token_ids for output in outputs]) if outputs else []
        finished: list[Completion | Failure] = []
        for output, text in zip(outputs, texts, strict=True):
            request, ids = self._open.pop(output.request_id)
            said, times = output.outputs[0], output.metrics
            if said.finish_reason not in ("stop", "length"):
                error = RuntimeError(f"model {self._model.name!r}: vLLM gave a sample up ({said.finish_reason})")
                finished.append(Failure(request.query_id, request.sample, error))
                continue
            reason: FinishReason = said.finish_reason
            if isinstance(said.stop_reason, str) and said.stop_reason not in text:
                text = said.text  # noqa: PLW2901  vLLM's begins where the prompt ended, perhaps with a space, and so may the stop string
            finished.append(
                Completion(
                    request.query_id,
                    request.sample,
                    cut(text, self._stops),
                    reason,
                    len(ids),
                    len(said.token_ids),
                    round(times.last_token_ts - times.scheduled_ts, 6),
                    round(times.first_token_ts - times.scheduled_ts, 6),
                )
            )
        return finished

    def _recover(self, error: Exception) -> None:
        """After a failed step: if memory ran out, start again with half as many samples at once; else raise RuntimeError."""
        from vllm.v1.engine.exceptions import EngineDeadError

        self._may_sleep = self._can_sleep = False  # who asks a dead engine may wait for ever
        unsaid = "its process ended without a word, perhaps killed for its memory" if isinstance(error, EngineDeadError) else ""
        reason = what_went_wrong(self._log) or unsaid or f"{type(error).__name__}: {error}"
        if not is_out_of_memory(reason):
            raise RuntimeError(f"model {self._model.name!r}: vLLM failed: {reason}") from error
        if self._rows == 1:
            raise RuntimeError(f"model {self._model.name!r}: memory runs out for a single sample: {reason}{what_to_do(reason)}") from error
        under_way, self._open = list(self._open.values()), {}
        engine, self._engine = self._engine, None
        _shut_down(engine)
        del engine
        error.__traceback__ = None  # its frames hold the model's memory
        self._log.unlink(missing_ok=True)
        self._load(self._rows // 2)
        for request, ids in under_way:
            self._submit(request, ids)


def _shut_down(engine: Any) -> None:
    """End the processes of a vLLM engine, and free what it holds in this one."""
    import torch

    with suppress(Exception):  # of an engine that has failed
        engine.engine_core.shutdown()
    del engine
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _text(error: Exception) -> str:
    """What an error says, in one line."""
    if isinstance(error, ValidationError):
        return error.errors()[0]["msg"]
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _lora(model: Model) -> tuple[Any, int] | None:
    """vLLM's name for the model's adapter, and a rank that vLLM knows and the adapter's fits in. Raises ModelUnusable."""
    if model.lora is None:
        return None
    from huggingface_hub import snapshot_download
    from vllm.lora.request import LoRARequest

    try:
        folder = Path(model.lora) if Path(model.lora).is_dir() else Path(snapshot_download(model.lora))
        rank = int(json.loads((folder / "adapter_config.json").read_text())["r"])
        return LoRARequest("adapter", 1, str(folder)), next(known for known in _LORA_RANKS if known >= rank)
    except Exception as error:
        place = model.model_copy(update={"path": model.lora})
        raise ModelUnusable(f"model {model.name!r}: lora = {model.lora!r} cannot be loaded: {why_not_loaded(place, error)}") from error
