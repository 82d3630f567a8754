"""How `manyminds show` prints a query for people: it has to read well at 80 columns."""

from collections.abc import Sequence
from typing import Any

from rich.padding import Padding
from rich.table import Table as Grid

from flows.terminal import RIGHT, WRONG, coloured, console, plain, print_grid, print_text, shortened

_LISTED = 20  # queries that a text may mean
_TEXTS = 10  # of the same answer
_MODELS, _FOREMOST = 6, 4  # models whose confidences are all shown; how many there are shown of more


def print_matches(matches: Sequence[dict[str, Any]], wanted: str) -> None:
    """Several queries to choose from."""
    print_text(f"{len(matches):,} queries may be meant; name one by its query_id", style="italic")
    for one in matches[:_LISTED]:
        print_text(f"{one['query_id']}  {one['benchmark']}, {one['split']}, source id {one['source_id']}")
        print_text(_around(one["question"], wanted, 2 * console.width - 20), indent=4)
    if len(matches) > _LISTED:
        print_text(f"and {len(matches) - _LISTED:,} more; more of the text would tell them apart, and --json lists them all")


def _around(question: str, wanted: str, length: int) -> str:
    """The question on one line; of a long one the part where `wanted` stands."""
    line, found = " ".join(question.split()), " ".join(wanted.lower().split())
    start = max(line.lower().find(found) - length // 4, 0) if len(line) > length else 0
    return ("… " if start else "") + shortened(line[start:], length)


def print_page(document: dict[str, Any]) -> None:
    """Everything about one query (`flows.showing.query_document`)."""
    models = _with_titles(document["models"])
    _print_question(document["query"])
    if models:
        _print_votes(models)
    routers = sorted(document["routers"], key=lambda one: (one["is_baseline"], one["router"]))
    if routers:
        _print_routers(routers)
    if any(model["samples"] for model in models):
        _print_prompts(models)
        _print_samples(models)


def _with_titles(models: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """A model that has several recipes is named with them."""
    names = [model["model"] for model in models]
    return [
        model | {"title": f"{model['model']} by {model['recipe']}" if names.count(model["model"]) > 1 else model["model"]}
        for model in models
    ]


def _print_question(query: dict[str, Any]) -> None:
    about = [query["benchmark"], query["subject"], query["split"], query["answer_kind"], f"source id {query['source_id']}"]
    print_text(f"Query {query['query_id']}", style="bold")
    print_text(" · ".join(part for part in about if part))
    console.print()
    print_text(query["question"], indent=2)
    gold, letters = query["gold"], [chr(ord("A") + place) for place in range(len(query["choices"] or ()))]
    for letter, option in zip(letters, query["choices"] or (), strict=True):
        print_text(f"{RIGHT if letter == gold else ' '} ({letter}) {option}", indent=2)
    console.print()
    print_text(f"Right answer: {'not known' if gold is None else gold}")


def _print_votes(models: Sequence[dict[str, Any]]) -> None:
    console.print()
    rows = [(model["title"], *_vote_cells(model)) for model in models]
    shown = [place for place in range(5) if place < 2 or any(row[place] for row in rows)]
    columns = ["model", "vote", "answers", "agreement", "remarks"]
    print_grid("Votes", [columns[place] for place in shown], [[row[place] for place in shown] for row in rows])


def _vote_cells(model: dict[str, Any]) -> tuple[str, str, str, str]:
    """What the model's samples agreed on, its answers, the agreement, and what one should know about it."""
    vote, answers = model["vote"], ", ".join(f"{_answer(one)} ×{one['votes']}" for one in model["candidates"])
    if vote is None:
        return "not yet", answers, "", ""
    mark = RIGHT if vote["correct"] else WRONG
    has_answers = vote["k"] is not None
    if has_answers:
        said = f"{mark} {'none' if vote['majority'] is None else shortened(vote['majority'], 40)}"
    else:
        said = f"{mark} score {vote['success_rate']:.3g}"
    remarks = [
        "" if has_answers else _mean(vote),
        "tied: the first one seen wins" if vote["tied"] else "below half" if vote["ambiguous"] else "",
        f"decided after {vote['k']} of {vote['wanted']}" if vote["stop"] == "decided" else "",
        f"incomplete: {vote['k']} of {vote['wanted']}" if vote["stop"] == "incomplete" else "",
        f"counts {vote['label']:.2f}" if vote["label"] not in (None, float(vote["correct"])) and has_answers else "",
        "read otherwise today: `manyminds label` votes again" if model["is_read_otherwise"] else "",
    ]
    agreement = "" if vote["agreement"] is None else f"{100 * vote['agreement']:.0f} %"
    return said, answers, agreement, "; ".join(filter(None, remarks))


def _print_routers(routers: Sequence[dict[str, Any]]) -> None:
    from tasks.report.systems import router_name

    console.print()
    ranked = [(router_name(one["router"]), _confidences(one["confidences"])) for one in routers]
    print_grid(f"Confidences ({RIGHT} the model’s vote is right, {WRONG} wrong)", ["router", "confidence in each model"], ranked)
    rows = []
    for one in routers:
        policies: dict[str, list[str]] = {}
        for route in one["routes"]:
            policies.setdefault(_marked(route), []).append(route["policy"])
        named = [router_name(one["router"])] + [""] * len(policies)
        rows += [(name, model, ", ".join(names)) for name, (model, names) in zip(named, policies.items(), strict=False)]
    print_grid("Routes", ["router", "model", "policies that choose it"], rows)


def _confidences(scores: Sequence[dict[str, Any]]) -> list[str]:
    """The highest ones, all of them where they are few."""
    shown = len(scores) if len(scores) <= _MODELS else _FOREMOST
    more = [f"and {len(scores) - shown} more"] if shown < len(scores) else []
    return [f"{score['confidence']:.2f} {_marked(score)}" for score in scores[:shown]] + more


def _marked(row: dict[str, Any]) -> str:
    """A model's name, and whether its vote is right, where that is known."""
    return row["model"] if row["correct"] is None else f"{RIGHT if row['correct'] else WRONG} {row['model']}"


def _print_prompts(models: Sequence[dict[str, Any]]) -> None:
    """What each model saw; once for models that saw the same."""
    saw: dict[tuple[str, str], list[str]] = {}
    for model in models:
        prompt = model["prompt"] or {"text": "", "remark": "not known: the samples were imported, or drawn by an earlier version"}
        saw.setdefault((prompt["text"], prompt["remark"]), []).append(model["title"])
    console.print()
    print_text("Prompts", style="italic")
    for (text, remark), names in saw.items():
        print_text(", ".join(names) + (f" ({remark})" if remark else ""), style="bold")
        print_text(text, indent=2)


def _print_samples(models: Sequence[dict[str, Any]]) -> None:
    """Of each answer the first text whole, and the others in a line each."""
    console.print()
    print_text("Samples", style="italic")
    for model in models:
        print_text(f"{model['title']}  {_vote_cells(model)[0]}  {_mean(model['vote'])}", style="bold")
        texts = {sample["sample"]: sample for sample in model["samples"]}
        for candidate in model["candidates"]:
            mine = [texts[number] for number in candidate["samples"] if number in texts]
            mark = "" if candidate["right"] is None or candidate["answer"] is None else RIGHT if candidate["right"] else WRONG
            print_text(f"{mark} {_answer(candidate)} ×{candidate['votes']}".lstrip(), indent=2)
            _print_texts(mine)
        if beyond := [sample for sample in model["samples"] if not sample["counts"]]:
            print_text("beyond the samples that vote", indent=2)
            _print_texts(beyond)


def _print_texts(samples: Sequence[dict[str, Any]]) -> None:
    """Samples with the same answer; those that say the same together."""
    same: dict[tuple[str, str | None], list[int]] = {}
    for sample in samples:
        same.setdefault((sample["text"], _ended(sample)), []).append(sample["sample"])
    grid = Grid.grid(padding=(0, 1, 0, 0))
    grid.add_column(max_width=14, overflow="fold")
    grid.add_column(overflow="fold")
    room = max(console.width - 20, 20)
    for place, ((text, ended), numbers) in enumerate(list(same.items())[:_TEXTS]):
        shown = plain(text).strip("\n") if place == 0 else shortened(text, room, keep_end=True)
        grid.add_row(coloured(_ranges(numbers), "dim"), coloured(shown))
        if ended:
            grid.add_row("", coloured(f"({ended})", "dim"))
    console.print(Padding(grid, (0, 0, 0, 4), expand=False))
    if len(same) > _TEXTS:
        print_text(f"and {len(same) - _TEXTS:,} other texts; --json has all", indent=4)


def _ended(sample: dict[str, Any]) -> str | None:
    """What one should know about a text: why nothing was read from it, or that it did not end by itself."""
    if sample["unreadable"]:
        return str(sample["unreadable"])
    reason = sample["finish_reason"]
    return {"stop": None, "length": "cut off at the length limit"}.get(reason, reason) if reason else None


def _answer(candidate: dict[str, Any]) -> str:
    return "unreadable" if candidate["answer"] is None else shortened(candidate["answer"], 40)


def _mean(vote: dict[str, Any] | None) -> str:
    """What a sample of this model took, on the mean."""
    from tasks.report.figures import dollars, seconds

    if vote is None:
        return ""
    tokens, cost = vote["completion_tokens"], vote["cost_usd"]
    parts = [
        None if tokens is None else f"{tokens:,.0f} tokens",
        None if vote["latency_s"] is None else seconds(vote["latency_s"]),
        None if cost is None else f"{dollars(cost)} per thousand",
    ]
    return ", ".join(filter(None, parts))


def _ranges(numbers: Sequence[int]) -> str:
    """[0, 1, 2, 5] → "0-2, 5"."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}{'-' if len(run) > 2 else ', '}{run[-1]}" for run in runs)
