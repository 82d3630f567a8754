"""Samples a causal language model with `transformers`: what a worker process of the engine runs.

    decoder = Decoder(Model(name="ledger", path="models/ledger"), Sampling(), "cpu")
    for completions in decoder.sample(requests): ...          # lists, in the order in which they finish

A decode loop of our own, because `generate` has neither a seed per sample nor one prefill for all samples of a prompt. Each
distinct prompt of a batch is read once and its cache copied to its samples; rows that have ended are dropped from time to time.

A sample's seed decides its text (`draw.py`), whatever it shares a batch with. Rounding differs between batches, though (padding
and the number of rows change the order of sums: up to about 1e-5 in a logit), so a row whose draw hangs on less than `TOLERANCE` is
decided by reading its tokens alone, which depends on nothing else: about one token in ten thousand. That holds for float32, which is
what a CPU computes in; at half precision, on a GPU, rounding is too coarse, and a text can change with its batch.
"""

import inspect
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from huggingface_hub.utils import logging as hub_logging
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from tasks.config import Model, Sampling
from tasks.errors import ModelUnusable
from tasks.sampling.engines import Completion, Failure, FinishReason, Request
from tasks.sampling.engines.cache import can_be_copied, expand, select
from tasks.sampling.engines.draw import Drawn, draw
from tasks.sampling.engines.loading import why_not_loaded
from tasks.sampling.engines.tokens import cut, decode, encode, end_ids

TOLERANCE = 1e-3  # in a logit
_ROWS = 512  # more are hardly faster
_CPU_CACHE_BYTES = 2**30
_DROP_AT = 0.75  # of the rows are live: then the others are dropped


@dataclass
class _Rows:
    """A batch in progress; every tensor has one row per sample that is still in it."""

    requests: list[Request]
    prompts: list[list[int]]
    seeds: Tensor  # int64 (rows,)
    limits: Tensor  # int64 (rows,), completion tokens at most
    tokens: Tensor  # int64 (rows, longest limit), the completions so far
    ended: Tensor  # int64 (rows,), tokens at the end, or 0 while the row is live
    stopped: Tensor  # bool (rows,), whether it ended of itself
    mask: Tensor | None  # int64 (rows, width so far), 0 on padding; None where there is no padding
    seen: Tensor | None  # bool (rows, vocabulary), for the repetition penalty

    def select(self, rows: Tensor) -> "_Rows":
        chosen = rows.tolist()
        return _Rows(
            [self.requests[row] for row in chosen],
            [self.prompts[row] for row in chosen],
            *(tensor[rows] for tensor in (self.seeds, self.limits, self.tokens, self.ended, self.stopped)),
            *(None if tensor is None else tensor[rows] for tensor in (self.mask, self.seen)),
        )


class Decoder:
    """One model on one device."""

    def __init__(self, model: Model, sampling: Sampling, device: str) -> None:
        """Load the model. Raises ModelUnusable if it cannot be loaded, saying what to do."""
        self.name, self.chat, self.sampling, self.device = model.name, model.chat, sampling, torch.device(device)
        self.tokenizer, self.model = _load(model, self.device)
        self.tolerance = TOLERANCE if self.model.dtype == torch.float32 else 0.0
        self.context: int | None = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        self.most_rows = _ROWS  # of a batch; less once memory has run out
        self.stops = [stop for stop in sampling.stop_strings if stop]
        declared = (self.model.generation_config.eos_token_id, self.model.config.eos_token_id)
        self.end_ids = torch.tensor(sorted(end_ids(self.tokenizer, declared, self.stops)), device=self.device)
        self.accepts = set(inspect.signature(self.model.forward).parameters)
        self._check_cache()

    @property
    def weights_gb(self) -> float:
        """Memory that the weights take, in 10⁹ bytes; what two layers share counts once."""
        held: list[Tensor] = [*self.model.parameters(), *self.model.buffers()]
        return sum(tensor.nbytes for tensor in held) / 1e9

    @torch.inference_mode()
    def sample(self, requests: Sequence[Request]) -> Iterator[list[Completion | Failure]]:
        """Lists of completions as they finish; all requests are answered.

        Where memory runs out, a batch is halved; a request for which it does not suffice alone is answered with a Failure.
        """
        prompts = encode(self.tokenizer, [request.prompt for request in requests], chat=self.chat, name=self.name)
        fits = [self.context is None or len(ids) < self.context for ids in prompts]
        over_long = [(request, ids) for request, ids, fit in zip(requests, prompts, fits, strict=True) if not fit]
        if over_long:
            yield [Completion(one.query_id, one.sample, "", "prompt-too-long", len(ids), 0, 0.0) for one, ids in over_long]
        rows = [(ids, request) for request, ids, fit in zip(requests, prompts, fits, strict=True) if fit]
        rows.sort(key=lambda row: (-len(row[0]), row[0]))  # samples of a prompt together, and little padding
        while rows:
            batch = rows[: min(self.most_rows, self._batch_size(len(rows[0][0])))]
            answered: set[tuple[str, int]] = set()
            try:
                for completions in self._sample_batch(batch):
                    answered |= {(one.query_id, one.sample) for one in completions}
                    yield [*completions]
            except torch.OutOfMemoryError as error:
                self.most_rows = max(1, len(batch) // 2)
                if len(batch) == 1:
                    yield [self._too_large(batch[0][1], error)]
                    answered = {(batch[0][1].query_id, batch[0][1].sample)}
            rows = [row for row in batch if (row[1].query_id, row[1].sample) not in answered] + rows[len(batch) :]

    def _too_large(self, request: Request, error: Exception) -> Failure:
        hint = "set a smaller max_new_tokens, or use a larger GPU or vLLM with tensor_parallel"
        words = f"model {self.name!r}: memory ran out over a single sample ({str(error).splitlines()[0]}); {hint}"
        return Failure(request.query_id, request.sample, RuntimeError(words))

    @torch.inference_mode()
    def _check_cache(self) -> None:
        """One token, to know whether the model has a cache that can be copied to many samples."""
        zero = torch.zeros((1, 1), dtype=torch.int64, device=self.device)
        if not can_be_copied(getattr(self._call(zero, None, zero, use_cache=True), "past_key_values", None)):
            raise ModelUnusable(
                f"model {self.name!r}: the engine 'transformers' samples models with attention only; "
                'this one is recurrent, or an encoder; expected another model, or engine = "vllm"'
            )

    def _batch_size(self, longest_prompt: int) -> int:
        """As many rows as have room for their caches, by their longest possible text."""
        config = self.model.config.get_text_config()
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        token_bytes = 2 * config.num_hidden_layers * heads * size * self.model.dtype.itemsize
        room = torch.cuda.mem_get_info(self.device)[0] // 2 if self.device.type == "cuda" else _CPU_CACHE_BYTES
        return int(max(1, min(_ROWS, room // (token_bytes * (longest_prompt + self.sampling.max_new_tokens)))))

    def _sample_batch(self, batch: list[tuple[list[int], Request]]) -> Iterator[list[Completion]]:
        began = time.perf_counter()
        rows, cache, logits = self._prefill(batch)
        at: list[float] = []  # seconds from the start to each step's token
        for step in range(rows.tokens.shape[1]):
            token = self._draw(rows, logits, step)
            rows.tokens[:, step] = token
            at.append(time.perf_counter() - began)
            self._mark_ended(rows, token, step)
            live = rows.ended == 0
            left = int(live.sum())
            if left <= _DROP_AT * len(rows.requests):
                yield self._completions(rows.select(torch.nonzero(~live)[:, 0]), at)
                if left == 0:
                    return
                kept = torch.nonzero(live)[:, 0]
                rows, token = rows.select(kept), token[kept]
                select(cache, kept)
            logits = self._forward(rows, token, cache, step)

    def _prefill(self, batch: list[tuple[list[int], Request]]) -> tuple[_Rows, Any, Tensor]:
        """Read each distinct prompt once, padded on the left, and give every sample of it a copy of the cache."""
        distinct: list[list[int]] = []
        of_row: list[int] = []
        for ids, _ in batch:
            if not distinct or distinct[-1] != ids:
                distinct.append(ids)
            of_row.append(len(distinct) - 1)
        width = max(map(len, distinct))
        padded_ids = torch.tensor([[0] * (width - len(one)) + one for one in distinct], device=self.device)
        mask = torch.tensor([[0] * (width - len(one)) + [1] * len(one) for one in distinct], device=self.device)
        padded = bool((mask == 0).any())
        output = self._call(padded_ids, mask if padded else None, (mask.cumsum(1) - 1).clamp(min=0), use_cache=True)
        index = torch.tensor(of_row, device=self.device)
        expand(output.past_key_values, index)
        logits = output.logits[:, -1][index]
        most = self.sampling.max_new_tokens
        limits = [min(most, self.context - len(one)) if self.context is not None else most for one, _ in batch]
        seen = None
        if self.sampling.repetition_penalty != 1.0:
            seen = torch.zeros((len(distinct), logits.shape[1]), dtype=torch.bool, device=self.device)
            for row, one in enumerate(distinct):
                seen[row, one] = True
            seen = seen[index]
        rows = _Rows(
            requests=[request for _, request in batch],
            prompts=[one for one, _ in batch],
            seeds=torch.tensor([request.seed for _, request in batch], device=self.device),
            limits=torch.tensor(limits, device=self.device),
            tokens=torch.zeros((len(batch), max(limits)), dtype=torch.int64, device=self.device),
            ended=torch.zeros(len(batch), dtype=torch.int64, device=self.device),
            stopped=torch.zeros(len(batch), dtype=torch.bool, device=self.device),
            mask=mask[index] if padded else None,
            seen=seen,
        )
        return rows, output.past_key_values, logits

    def _forward(self, rows: _Rows, token: Tensor, cache: Any, step: int) -> Tensor:
        """Logits (rows, vocabulary) after one more token."""
        position = torch.tensor([[len(prompt) + step] for prompt in rows.prompts], device=self.device)
        if rows.mask is not None:
            rows.mask = torch.cat([rows.mask, rows.mask.new_ones((len(rows.mask), 1))], dim=1)
        # A row that has ended and is not yet dropped may be past the last position; what it says is not looked at.
        if self.context is not None:
            position = position.clamp(max=self.context - 1)
        logits: Tensor = self._call(token[:, None], rows.mask, position, use_cache=True, cache=cache).logits[:, -1]
        return logits

    def _call(self, ids: Tensor, mask: Tensor | None, positions: Tensor, *, use_cache: bool, cache: Any = None) -> Any:
        """The model's forward pass, with the arguments that this model and this version of transformers know."""
        optional = {"position_ids": positions, "logits_to_keep": 1}
        known = {name: value for name, value in optional.items() if name in self.accepts}
        if cache is not None:
            known["cache" if "cache" in self.accepts else "past_key_values"] = cache
        return self.model(input_ids=ids, attention_mask=mask, use_cache=use_cache, **known)

    def _draw(self, rows: _Rows, logits: Tensor, step: int) -> Tensor:
        """Token of each row, int64 (rows,). Rows that are not sure are decided by reading their tokens alone."""
        drawn = self._choose(logits, rows.seeds, step, rows.seen, self.tolerance)
        for row in torch.nonzero(~drawn.sure & (rows.ended == 0))[:, 0].tolist():
            ids = torch.tensor([rows.prompts[row] + rows.tokens[row, :step].tolist()], device=self.device)
            alone = self._call(ids, None, torch.arange(ids.shape[1], device=self.device)[None], use_cache=False).logits[:, -1]
            seen = None if rows.seen is None else rows.seen[row : row + 1]
            drawn.tokens[row] = self._choose(alone, rows.seeds[row : row + 1], step, seen, 0.0).tokens[0]
        if rows.seen is not None:
            rows.seen.scatter_(1, drawn.tokens[:, None], True)
        return drawn.tokens

    def _choose(self, logits: Tensor, seeds: Tensor, step: int, seen: Tensor | None, tolerance: float) -> Drawn:
        settings = self.sampling
        return draw(
            logits,
            seeds,
            step,
            temperature=settings.temperature,
            top_k=settings.top_k,
            top_p=settings.top_p,
            repetition_penalty=settings.repetition_penalty,
            seen=seen,
            tolerance=tolerance,
        )

    def _mark_ended(self, rows: _Rows, token: Tensor, step: int) -> None:
        """Note which rows end with this token, and whether of themselves."""
        stops = torch.isin(token, self.end_ids)
        if self.stops:
            stops = stops | self._at_stop_string(rows, step)
        ends = (stops | (rows.limits == step + 1)) & (rows.ended == 0)
        rows.stopped |= stops & ends
        rows.ended[ends] = step + 1

    def _at_stop_string(self, rows: _Rows, step: int) -> Tensor:
        """Whether a stop string stands at the end of each row. A token is a byte at least, so a few tokens are enough to look at."""
        longest = max(len(stop.encode()) for stop in self.stops)
        tails = decode(self.tokenizer, rows.tokens[:, max(0, step - longest) : step + 1].tolist())
        return torch.tensor([any(stop in tail for stop in self.stops) for tail in tails], device=self.device)

    def _completions(self, rows: _Rows, at: Sequence[float]) -> list[Completion]:
        """What the rows, all ended, have said."""
        ended = rows.ended.tolist()
        texts = decode(self.tokenizer, [tokens[:count] for tokens, count in zip(rows.tokens.tolist(), ended, strict=True)])
        completions = []
        for request, prompt, text, count, stopped in zip(rows.requests, rows.prompts, texts, ended, rows.stopped.tolist(), strict=True):
            reason: FinishReason = "stop" if stopped else "length"
            completions.append(
                Completion(
                    request.query_id,
                    request.sample,
                    cut(text, self.stops),
                    reason,
                    len(prompt),
                    count,
                    round(at[count - 1], 6),
                    round(at[0], 6),
                )
            )
        return completions


def _load(model: Model, device: torch.device) -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
    for key, value in (("quantization", model.quantization), ("lora", model.lora)):
        if value is not None:
            raise ModelUnusable(f"model {model.name!r}: {key} = {value!r}, which the engine 'transformers' does not have; expected 'vllm'")
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    hub_logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # it would tell of every attempt to reach the hub
    options = {"revision": model.revision or "main", "trust_remote_code": model.trust_remote_code}
    dtype = torch.float32 if device.type == "cpu" else "auto"
    try:
        tokenizer = AutoTokenizer.from_pretrained(model.path, **options)
        network = AutoModelForCausalLM.from_pretrained(model.path, dtype=dtype, **options).to(device)
    except Exception as error:  # libraries raise a dozen kinds here, all about what the user asked to be loaded
        raise ModelUnusable(f"model {model.name!r}: {model.path} cannot be loaded: {why_not_loaded(model, error)}") from error
    return tokenizer, network.eval()
