"""Why a question goes to a model, as a document: what `manyminds explain --json` prints, and what its page is made from."""

from typing import Any

import numpy as np
import polars as pl

from flows.routing import Guide
from tasks.asking.nearest import nearest
from tasks.asking.turning import chosen_from, runner_up, turns
from tasks.lake.files import read_table
from tasks.lake.tables import METRICS, QUERIES, VOTES
from tasks.policies.rules import NEEDS

NEAREST = 5


def explanation_document(guide: Guide, query: pl.DataFrame) -> dict[str, Any]:
    """Everything about one new question (a row of `queries`); what is not known is null.

    `question`, `router`, `policy`; `model`: the choice, null where a policy as published gives none
    `models`: of each model, the most confident first: `model`; `confidence`, 0 … 1; `chosen_from`, the confidence from which it would be
        chosen while all else stays as it is (of the chosen one: down to which it stays chosen), null if not even at 1; `expected_cost` in
        `cost_unit` (usd, seconds or tokens); `expected_latency_s`, its mean on training questions; `accuracy` on test questions
    `calibration_error`: by how much the router's confidences are off on test questions, on average, 0 … 1
    `best_single`: the model that did best on training questions
    `runner_up`: `model` and `below`: whom the question would go to if the confidence in the chosen one were below that
    `weights`: `weight` and `model`: from which weight of a unit of cost on confidence - weight x cost is highest for which model
    `policy_weight`, `policy_budget`: of a policy that weighs costs, in `cost_unit`; null where it has none
    `policies`: `policy` and `model`: whom the router's other policies choose, but for those that look at samples, of which there are none
    `nearest`: `by`, what they are compared by; `queries`: the training questions that are most like this one: `query_id`, `similarity`
        (a cosine), `benchmark`, `subject`, `question`, `text`, which is what routers read of it (its options, but no few-shot prefix),
        and `labels`: model → what its answer counts for, 0 … 1; a model that is missing there is missing here
    """
    offers, ids = guide.offers(query), query["query_id"].to_list()
    (chosen,) = guide.policy.choose(offers, ids)
    train = read_table(guide.lake, QUERIES, where=pl.col("split") == "train")
    votes = read_table(guide.lake, VOTES, columns=["query_id", "model", "label", "latency_s"])
    votes = votes.filter(pl.col("query_id").is_in(train["query_id"].to_list()))
    latencies = dict(votes.group_by("model").agg(pl.col("latency_s").mean()).iter_rows())
    metrics = _of_all_test_queries(read_table(guide.lake, METRICS))
    accuracies = dict(metrics.filter(pl.col("metric") == "accuracy", pl.col("router").is_null()).select("model", "value").iter_rows())
    errors = metrics.filter(pl.col("metric") == "calibration_error", pl.col("router") == guide.router_name, pl.col("model").is_null())
    best = metrics.filter(pl.col("metric") == "best_single")["model"]
    confidences, costs = offers.confidences[0].astype(float), guide.costs.expected(query)[0]
    models = [
        {
            "model": name,
            "confidence": float(confidences[place]),
            "chosen_from": bound,
            "expected_cost": _known(costs[place]),
            "expected_latency_s": latencies.get(name),
            "accuracy": accuracies.get(name),
        }
        for place, (name, bound) in enumerate(zip(guide.models, chosen_from(guide.policy.choose, offers, ids[0]), strict=True))
    ]
    second = runner_up(guide.policy.choose, offers, ids[0])
    return {
        "question": query["question"][0],
        "router": guide.router_name,
        "policy": guide.policy_name,
        "model": guide.named(chosen),
        "models": sorted(models, key=lambda row: (-row["confidence"], row["model"])),
        "cost_unit": None if np.isnan(costs).all() else guide.cost_unit,
        "calibration_error": errors["value"][0] if len(errors) else None,
        "best_single": best[0] if len(best) else None,
        "runner_up": second and {"model": guide.named(second.model), "below": second.below},
        "weights": _weights(guide, confidences, costs),
        "policy_weight": guide.policy.state.get("weight"),
        "policy_budget": guide.policy.state.get("budget"),
        "policies": [
            {"policy": name, "model": guide.named(policy.choose(offers, ids)[0])}
            for name, policy in sorted(guide.policies.items())
            if name != guide.policy_name and "agreement" not in NEEDS[name]
        ],
        "nearest": _nearest(guide, query, train, votes),
    }


def _weights(guide: Guide, confidences: Any, costs: Any) -> list[dict[str, Any]] | None:
    """Null where the cost of a model is not known."""
    if np.isnan(costs).any():
        return None
    return [{"weight": turn.weight, "model": guide.models[turn.model]} for turn in turns(confidences, costs)]


def _nearest(guide: Guide, query: pl.DataFrame, train: pl.DataFrame, votes: pl.DataFrame) -> dict[str, Any]:
    by, rows = nearest(guide.lake, guide.files, query, train, NEAREST)
    named = rows.join(train.select("query_id", "benchmark", "subject", "question"), on="query_id", maintain_order="left")
    labels: dict[str, dict[str, float]] = {}
    for query_id, model, label in votes.join(rows, on="query_id", how="semi").select("query_id", "model", "label").iter_rows():
        labels.setdefault(query_id, {})[model] = label
    return {"by": by, "queries": [row | {"labels": labels.get(row["query_id"], {})} for row in named.to_dicts()]}


def _of_all_test_queries(metrics: pl.DataFrame) -> pl.DataFrame:
    return metrics.filter(
        pl.col("study") == "evaluation", pl.col("split") == "test", pl.col("benchmark").is_null(), pl.col("subject").is_null()
    )


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
