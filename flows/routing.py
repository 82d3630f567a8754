"""`manyminds route`: which model to ask.

manyminds route --lake lakes/demo "Write 8294 backwards."     →  scribe
"""

import json
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from flows.failures import as_this_version_saves
from flows.terminal import json_text, plain
from tasks.config import LOOKING
from tasks.errors import UserError, nearest
from tasks.lake.files import Lake, folder_name, open_lake, read_table
from tasks.lake.interfaces import Offers
from tasks.lake.tables import METRICS

if TYPE_CHECKING:
    from tasks.routers import Router


class Guide:
    """A trained router and a fitted policy of a lake, ready for questions."""

    @as_this_version_saves()
    def __init__(self, url: str, router: str | None, policy: str | None, many: bool = False) -> None:
        """Load from the lake. Without names, take the pair that did best on validation queries.

        `many`: questions come by the thousand. Otherwise the router is loaded so that it answers one as soon as it can.
        """
        from tasks.asking.light import SavedFiles, load_light
        from tasks.policies.rules import load_policy
        from tasks.routers.costs import Costs
        from tasks.routers.saved import load_saved

        self.lake = open_lake(url)
        if router is None or policy is None:
            router, policy = _default(self.lake, router, policy)
        manifests = self.lake.files(f"routers/{folder_name(router)}", "manifest.json")
        states = self.lake.files(f"policies/{folder_name(router)}", ".json")
        if manifests and not states:
            raise UserError(f"lake {url}: router {router!r} has no policies; has `manyminds run` finished?")
        if not manifests:
            known = {path.split("/")[1] for path in self.lake.files("routers", "manifest.json")}
            raise UserError(f"lake {url}: no router {router!r}" + (nearest(router, known) if known else "; has `manyminds run` finished?"))
        state = json.loads(self.lake.read(states[0]))
        if policy not in state["policies"]:
            raise UserError(f"lake {url}: router {router!r} has no policy {policy!r}{nearest(policy, state['policies'])}")
        self.router_name, self.policy_name = router, policy
        self.models: list[str] = state["models"]
        self.files = SavedFiles(self.lake, manifests[0])
        light = None if many else load_light(self.lake, manifests[0])
        self.router = light or load_saved(self.lake, manifests[:1])
        self.looks_at = _looks_at(self.files.kind, self.router)
        self.policies = {name: load_policy(name, fitted) for name, fitted in state["policies"].items()}
        self.policy = self.policies[policy]
        expected = self.lake.files("costs", ".json")
        if not expected:
            raise UserError(f"lake {url}: it is of an earlier version; expected one that `manyminds run` of this version has gone through")
        costs = json.loads(self.lake.read(expected[0]))
        self.cost_unit, self.costs = str(costs["unit"]), Costs.load(costs)

    def choose(self, queries: pl.DataFrame) -> tuple[list[str | None], Any]:
        """The model for each query (None where a policy as published gives no answer), and all confidences."""
        offers = self.offers(queries)
        choice = self.policy.choose(offers, queries["query_id"].to_list())
        return [self.named(index) for index in choice], offers.confidences

    def named(self, choice: int) -> str | None:
        """The model of a policy's choice; None where it asks none."""
        return self.models[choice] if choice >= 0 else None

    def offers(self, queries: pl.DataFrame) -> Offers:
        """What the policy sees of the queries: confidences, and expected costs where any is known."""
        if self.looks_at is not None:  # nothing is sampled here
            missing = f"looking was not possible: no samples of {self.looks_at!r}; chosen by the text alone"
            print(plain(missing), file=sys.stderr)
        confidences = self.router.confidences(queries)
        costs = self.costs.expected(queries)
        return Offers(confidences, None if np.isnan(costs).all() else costs)


def _looks_at(kind: str, router: "Router") -> str | None:
    """The model at whose samples the router looks, if it is of a kind that does."""
    if kind != "looking":
        return None
    from tasks.routers.looking import model_looked_at

    return model_looked_at(router)


def _default(lake: Lake, router: str | None, policy: str | None) -> tuple[str, str]:
    metrics = read_table(lake, METRICS)
    if metrics.is_empty():
        raise UserError(f"lake {lake.url}: no metrics; expected a lake in which `manyminds run` has finished")
    measured = metrics.filter(
        (pl.col("split") == "validation")
        & (pl.col("metric") == "accuracy")
        & pl.col("benchmark").is_null()
        & pl.col("subject").is_null()
        & pl.col("policy").is_not_null()
        & (pl.col("policy").is_in(LOOKING).not_() | pl.lit(policy in LOOKING))
    )
    if router is not None:
        measured = measured.filter(pl.col("router") == router)
    if policy is not None:
        measured = measured.filter(pl.col("policy") == policy)
    if router is None and policy is None:
        chosen = metrics.filter(pl.col("metric") == "default")
        measured = measured.join(chosen, on=["router", "policy"], how="semi")
    if measured.is_empty():
        known = metrics.filter(pl.col("policy").is_not_null())
        for column, named in (("router", router), ("policy", policy)):
            there = known[column].unique().to_list()
            if named is not None and named not in there:
                raise UserError(f"lake {lake.url}: no {column} {named!r}{nearest(named, there)}")
        raise UserError(f"lake {lake.url}: router {router!r} has no policy {policy!r}")
    best = measured.sort(["value", "router", "policy"], descending=[True, False, False]).row(0, named=True)
    return str(best["router"]), str(best["policy"])


def asked(question: str) -> pl.DataFrame:
    """A new question as a row of `queries`. Raises UserError for an empty one."""
    if not question.strip():
        raise UserError("the question is empty")
    if any("\ud800" <= character <= "\udfff" for character in question):  # how Python takes bytes that it cannot read
        raise UserError("the question is not in UTF-8")
    from tasks.benchmarks.queries import with_ids

    return with_ids(pl.DataFrame({"benchmark": [""], "question": [question], "choices": pl.Series([None], dtype=pl.List(pl.String))}))


def asked_in(file: str) -> pl.DataFrame:
    """New questions in a Parquet, JSONL or CSV file, in the file's order. Raises UserError."""
    from tasks.benchmarks.queries import with_ids
    from tasks.benchmarks.reading import Field, read_files

    rows = read_files([file], {}, {"question": Field(required=True), "choices": Field("list"), "benchmark": Field()})
    return with_ids(rows.with_columns(pl.col("benchmark").fill_null("")))


def print_routes(url: str, question: str | None, file: str | None, router: str | None, policy: str | None) -> None:
    """The chosen model; for a file, one JSON line per query, in the file's order."""
    if file is None:
        assert question is not None, "the command line has checked that one of the two is given"
        query, guide = asked(question), Guide(url, router, policy)
        (model,), confidences = guide.choose(query)
        print(plain(model) if model is not None else "no answer")
        named = f"{guide.router_name}, {guide.policy_name}"
        confidence = f"confidence {confidences[0][guide.models.index(model)]:.2f}" if model is not None else "no model above one half"
        print(plain(f"({named}: {confidence})"), file=sys.stderr)
        return
    queries, guide = asked_in(file), Guide(url, router, policy, many=True)
    models, confidences = guide.choose(queries)
    for row, model in enumerate(models):
        line = {"query_id": queries["query_id"][row], "question": queries["question"][row], "model": model}
        line["confidence"] = round(float(confidences[row][guide.models.index(model)]), 6) if model is not None else None
        print(json_text(line | {"router": guide.router_name, "policy": guide.policy_name}))
