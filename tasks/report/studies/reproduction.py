"""Does this run find what the paper found?"""

from typing import Any

from tasks.report.chart_style import Chart, finished, legend
from tasks.report.figures import Figure, Figures, between, percent, seconds, signed
from tasks.report.studies import Section, Table
from tasks.report.studies.wording import paragraphs

TITLE = "Does this run find what the paper found?"
ROUTER = "roberta-multi-label"
AS_PUBLISHED = "-as-published"
COLOURS = {"the paper": "#8a8f98", "this run": "#e4572e"}
METRICS = (  # → what the table calls it; in its order
    ("accuracy", "accuracy"),
    ("classifier_upper_bound", "accuracy if every model that is predicted to be right were asked"),
    ("train_accuracy", "accuracy on training questions"),
    ("weighted_f1", "F1 of the classifier, weighted"),
    ("f1", "F1 of the classifier"),
    ("share_of_right", "share of the router’s right answers"),
    ("winners_agree", "clusters whose best model stays the best on test questions"),
    ("cluster_wins", "clusters whose best model on training questions it is"),
)
DRAWN = ("accuracy", "classifier_upper_bound")


def section(figures: Figures, evaluation: Figures) -> Section | None:
    """The paper's figures beside the run's, how many differ, and what re-reading the paper's own says."""
    theirs = [one for metric, _ in METRICS for one in figures.all(f"published_{metric}")]
    if not theirs:
        return None
    compared = list(figures.all("accuracy_difference"))
    text = paragraphs([_concluded(figures, evaluation), _compared(figures, compared)], [_reread(figures)])
    chart = _chart(figures, theirs) if compared else None
    return Section("reproduction", TITLE, text, chart, _table(figures, theirs))


def _same(figures: Figures, metric: str, one: Figure) -> Figure | None:
    """Another figure about the same."""
    return figures.one(
        metric, benchmark=one.benchmark, model=one.model, router=one.router, policy=one.policy, setting=one.setting, split=one.split
    )


def _compared(figures: Figures, compared: list[Figure]) -> str:
    if not compared:
        return (
            "The paper’s figures (arXiv 2405.00467) are in the table, but nothing of this run can be set beside them: "
            "models and routers are matched by their names in the run file."
        )
    corrected = [(one, _same(figures, "accuracy_difference_corrected", one)) for one in compared]
    judged = [whole for _, whole in corrected if whole is not None]
    apart = [whole for whole in judged if _is_apart(whole)]
    start = f"The paper (arXiv 2405.00467) and this run have {len(compared)} accuracies in common."
    how = (
        "Intervals hold for all of them at once. The paper’s answers to single questions are not public, so this cannot be told as "
        "finely as elsewhere in this report"
    )
    if not apart:
        wide = max(judged or compared, key=lambda one: abs(one.value))
        return (
            f"{start} None differs by more than noise; the furthest apart are those of {_name(wide)}, {signed(wide.value)} points "
            f"({between(wide)}). {how}: small differences would not be seen."
        )
    said = "; ".join(_apart(figures, one) for one in sorted(apart, key=lambda one: -abs(one.value))[:3])
    differ = "differs" if len(apart) == 1 else "differ"
    few = "the furthest apart: " if len(apart) > 3 else ""
    return (
        f"{start} {'All' if len(apart) == len(compared) else len(apart)} of them {differ} by more than noise ({few}{said}). {how}. Prompts "
        "are worded differently here, and answers read in another way, so even a model alone may come out otherwise."
    )


def _is_apart(one: Figure) -> bool:
    return one.ci_low is not None and one.ci_high is not None and (one.ci_low > 0 or one.ci_high < 0)


def _apart(figures: Figures, one: Figure) -> str:
    ours, theirs = _same(figures, "accuracy", one), _same(figures, "published_accuracy", one)
    assert ours is not None and theirs is not None
    return f"{_name(one)} {percent(theirs.value)} there, {percent(ours.value)} here, {signed(one.value)} points ({between(one)})"


def _reread(figures: Figures) -> str:
    """What the paper's own figures say of its routers, read again."""
    said = []
    share = next((one for one in figures.all("published_share_of_right") if one.policy == "prediction"), None)
    if share is not None:
        alone = figures.one("published_accuracy", benchmark=share.benchmark, model=share.model)
        router = figures.one("published_accuracy", benchmark=share.benchmark, router=ROUTER, policy="prediction")
        ours = _same(figures, "share_of_right", share)
        if alone is not None and router is not None:
            what = "so its router is that model in disguise" if share.value > 0.999 else "so its router is nearly that model alone"
            here = f" (here {percent(ours.value, 0)} do)" if ours is not None else ""
            said.append(
                f"Read again, {percent(share.value, 0)} of what the paper’s router gets right with its policy Prediction comes from "
                f"{share.model}, as its latencies tell{here}; and it is right on {_count(router)} questions, {share.model} alone on "
                f"{_count(alone)}, {what}."
            )
    agree, wins = (next(iter(figures.all(f"published_{metric}")), None) for metric in ("winners_agree", "cluster_wins"))
    if agree is not None and wins is not None:
        ours, won = _same(figures, "winners_agree", agree), _same(figures, "cluster_wins", wins)
        here = (
            f" Here {percent(ours.value, 0)} of {ours.n} clusters keep their best model ({between(ours)})"
            if ours is not None and (ours.n or 0) > 1
            else ""
        )
        here += f", and {wins.model} is that in {percent(won.value, 0)} of them" if here and won is not None else ""
        said.append(
            f"Its clusters look unstable: {_count(agree)} keep their best model on test questions. But {wins.model} is the best in all of "
            f"them on training questions, rewritten copies of which it was trained on.{here}{'.' if here else ''}"
        )
    return " ".join(said)


def _count(one: Figure) -> str:
    return f"{round(one.value * (one.n or 0)):,} of {one.n or 0:,}"


def _concluded(figures: Figures, evaluation: Figures) -> str:
    """Whether the paper's conclusion holds here: its router is no better than the best single model."""
    published = [one for one in figures.all("published_accuracy") if one.setting is None]
    models = [one for one in published if one.model is not None]
    routers = [one for one in published if one.router == ROUTER and one.policy and not one.policy.endswith(AS_PUBLISHED)]
    if not models or not routers:
        return ""
    best, router = (max(group, key=lambda one: one.value) for group in (models, routers))
    said = (
        f"In the paper no policy beats the best single model: its best, {router.policy}, has {percent(router.value)} ({between(router)}), "
        f"{best.model} {percent(best.value)} ({between(best)})."
    )
    gain = evaluation.one("gain", benchmark=router.benchmark, router=ROUTER, policy=router.policy)
    if gain is None or gain.ci_low is None or gain.ci_high is None:
        return said
    verdict = "a tie" if gain.ci_low <= 0 <= gain.ci_high else "a gain" if gain.ci_low > 0 else "a loss"
    return (
        f"{said} Here that policy is {signed(gain.value)} points from the best single model of the training questions "
        f"({between(gain)}): {verdict}."
    )


def _name(one: Figure) -> str:
    """Who a figure is about, in words."""
    if one.router == "oracle":
        name = "oracle"
    elif one.router == "random":
        name = "random choice"
    else:
        name = ", ".join(part for part in (one.router, one.policy, one.model) if part)
    return f"{name} ({one.setting})" if one.setting else name


def _chart(figures: Figures, theirs: list[Figure]) -> Chart:
    import altair as alt

    data: list[dict[str, Any]] = []
    names = []
    for one in theirs:
        metric = one.metric.removeprefix("published_")
        ours = _same(figures, metric, one)
        if metric not in DRAWN or ours is None:
            continue
        name = _name(one) if metric == "accuracy" else f"{_name(one)}, every model predicted to be right"
        names.append(name)
        for whose, figure in zip(COLOURS, (one, ours), strict=True):
            ends = {"accuracy": figure.value, "low": figure.ci_low, "high": figure.ci_high}
            data.append(
                {"system": name, "whose": whose}
                | {key: round(100 * (figure.value if end is None else end), 2) for key, end in ends.items()}
            )
    x, low = (alt.X(f"{field}:Q", title="accuracy in %", scale=alt.Scale(zero=False)) for field in ("accuracy", "low"))
    colour = alt.Color("whose:N", scale=alt.Scale(domain=list(COLOURS), range=list(COLOURS.values())), legend=legend())
    base = alt.Chart(alt.Data(values=data)).encode(
        y=alt.Y("system:N", sort=names, axis=None), tooltip=["system:N", "whose:N", "accuracy:Q", "low:Q", "high:Q"]
    )
    labels = alt.Chart(alt.Data(values=[point for point in data if point["whose"] == "this run"])).encode(
        y=alt.Y("system:N", sort=names, axis=None), x=alt.value(2)
    )
    chart = alt.layer(
        base.mark_rule(strokeWidth=3, opacity=0.45, yOffset=7).encode(x=low, x2="high:Q", color=colour),
        base.mark_point(filled=True, size=75, opacity=1, yOffset=7).encode(x=x, color=colour),
        labels.mark_text(align="left", dy=-7, fontSize=12).encode(text="system:N"),
    )
    pairs = list(zip(data[::2], data[1::2], strict=True))
    told = "; ".join(f"{theirs['system']} {theirs['accuracy']:.1f} and {ours['accuracy']:.1f}" for theirs, ours in pairs[:6])
    text = f"Accuracy in per cent, in the paper and in this run, with 95 % intervals: {told}."
    if len(pairs) > 6:
        text += f" The table has all {len(pairs)}."
    return finished("reproduction", "Accuracy in the paper and in this run", text, chart, height=36 * len(pairs) + 10)


def _table(figures: Figures, theirs: list[Figure]) -> Table:
    rows: list[list[str | tuple[str, str]]] = []
    for one in theirs:
        metric = one.metric.removeprefix("published_")
        ours, own, whole = (_same(figures, name, one) for name in (metric, f"{metric}_difference", f"{metric}_difference_corrected"))
        slow, fast = (_same(figures, name, one) if metric == "accuracy" else None for name in ("published_latency_s", "latency_s"))
        rows.append(
            [
                _name(one),
                dict(METRICS)[metric],
                _cell(one),
                _cell(ours) if ours is not None else "–",
                (signed(own.value), between(own)) if own is not None else "–",
                (signed(whole.value), between(whole)) if whole is not None else "–",
                seconds(slow.value) if slow is not None else "–",
                seconds(fast.value) if fast is not None else "–",
            ]
        )
    columns = [
        "model or router",
        "figure",
        "paper",
        "here",
        "difference",
        "difference, interval for all",
        "paper, seconds",
        "here, seconds",
    ]
    caption = (
        "Shares in per cent, differences in points, with 95 % intervals; seconds a question, in the paper of right answers and on unknown "
        "hardware. “Seven models”: the paper’s notebook on clusters, with llama2-7b-lm and slightly other accuracies. The paper’s figures "
        "are from kvadityasrivatsa/llm-routing on GitHub"
    )
    return Table(caption, columns, rows)


def _cell(one: Figure) -> tuple[str, str]:
    return percent(one.value), f"{between(one)} (n = {one.n:,})" if one.n else "–"
