"""Calibration: confidences that mean what they say, in the same order.

Of a router's confidences about 0.8 only 0.6 come true, of those about 0.2 some 0.4: it is too sure. *Platt* scaling (1999) finds a and b
for which sigmoid(a + b · logit(confidence)) fits the rewards best; here a = 0 and b = 0.29: 0.8 becomes sigmoid(0.29 · 1.39) = 0.6.
*Temperature* is b alone. *Isotonic* (Zadrozny and Elkan 2002) is the rising step function that fits best, for much data.

    calibration = calibrate(router.confidences(queries), labels, "platt")
    calibration.apply(confidences)

One function serves all models, and it rises. So which model is the most confident on a query stays as it is: calibration is for whoever
compares a confidence with a threshold, a cost, or another router's. Where a step would make two models equal, or two numbers cannot
be told apart once rounded, the model that was ahead stays ahead by the smallest float32 there is.
"""

import json
from dataclasses import asdict, dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl

from tasks.lake.interfaces import Examples
from tasks.routers import Router
from tasks.routers.examples import in_order

FILE = "calibration.json"
LEAST_PAIRS = 50  # labelled pairs of query and model; with fewer, confidences stay as they are
SMALLEST_SLOPE = 0.01  # confidences that are no better than chance, or worse, become nearly equal, but keep their order
_SURE = 1e-6  # confidences nearer to 0 or 1 count as this near, so that one of them does not outweigh all
_PRIOR = 1.0  # precision of the prior that confidences are right as they are: a = 0, b = 1

Confidences = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """A rising function from confidences to confidences."""

    method: str
    offset: float = 0.0  # a
    slope: float = 1.0  # b
    steps: tuple[tuple[float, float], ...] = ()  # isotonic: confidences and what they become, linear in between

    def apply(self, confidences: Confidences) -> Confidences:
        """Calibrated confidences, float32 (queries, models); within a query models keep their order, and NaN stays NaN."""
        if self.method == "none":
            return confidences
        if self.method == "isotonic":
            before, after = np.array(self.steps).T
            changed = np.interp(confidences, before, after)
        else:
            changed = _sigmoid(self.offset + self.slope * _logit(confidences))
        return _in_order_of(confidences, changed.astype(np.float32))


def calibrate(confidences: Confidences, labels: npt.NDArray[np.floating], method: str) -> Calibration:
    """Fit a calibration to all models together.

    Args:
        confidences: float32 (queries, models), 0 … 1.
        labels: rewards, float (queries, models), 0 … 1, NaN where a model is missing.
        method: "platt", "temperature", "isotonic", or "none", which also comes of fewer than 50 labelled pairs.
    """
    known = ~np.isnan(confidences + labels)
    if method == "none" or known.sum() < LEAST_PAIRS:
        return Calibration("none")
    # Sorted, so that the order of queries and models decides no rounding.
    given, wanted = np.array(sorted(zip(confidences[known].tolist(), labels[known].tolist(), strict=True))).T
    if method == "isotonic":
        from sklearn.isotonic import IsotonicRegression

        fitted = IsotonicRegression(out_of_bounds="clip").fit(given, wanted)
        return Calibration(method, steps=tuple(zip(fitted.X_thresholds_.tolist(), fitted.y_thresholds_.tolist(), strict=True)))
    offset, slope = _fit(_logit(given), wanted, [0, 1] if method == "platt" else [1])
    if slope < SMALLEST_SLOPE:
        offset = _fit(_logit(given), wanted, [0], slope=SMALLEST_SLOPE)[0] if method == "platt" else 0.0
    return Calibration(method, offset, max(slope, SMALLEST_SLOPE))


class Calibrated:
    """A router whose confidences are calibrated; in all else it is that router."""

    def __init__(self, router: Router, calibration: Calibration) -> None:
        self.router = router
        self.calibration = calibration

    @property
    def models(self) -> tuple[str, ...]:
        """The columns of the confidences."""
        return self.router.models

    @property
    def notes(self) -> list[str]:
        """What the router has to say about itself."""
        return list(getattr(self.router, "notes", []))

    def fit(self, train: Examples, validation: Examples) -> Self:
        """Fit the router, and calibrate it by the same method."""
        self.router.fit(train, validation)
        self.calibration = _calibration(self.router, validation, self.calibration.method)
        return self

    def confidences(self, queries: pl.DataFrame) -> Confidences:
        return self.calibration.apply(self.router.confidences(queries))

    def save(self) -> dict[str, bytes]:
        """The router's files and `calibration.json`; `load_router` puts the two together again."""
        return self.router.save() | {FILE: json.dumps(asdict(self.calibration)).encode()}


def calibrated(router: Router, validation: Examples, method: str) -> Router:
    """The fitted router with its confidences calibrated on validation queries; the router itself if that changes nothing."""
    calibration = _calibration(router, validation, method)
    return router if calibration.method == "none" else Calibrated(router, calibration)


def load_calibrated(router: Router, content: bytes) -> Router:
    """The router with the calibration that was saved beside it as `calibration.json`."""
    state = json.loads(content)
    return Calibrated(router, Calibration(**state | {"steps": tuple(map(tuple, state["steps"]))}))


def _calibration(router: Router, validation: Examples, method: str) -> Calibration:
    if method == "none" or validation.queries.is_empty():
        return Calibration("none")
    validation = in_order(validation)
    return calibrate(router.confidences(validation.queries), validation.labels, method)


def _fit(logits: Floats, rewards: Floats, free: list[int], slope: float = 1.0) -> tuple[float, float]:
    """The a (0) and b (1) that are `free`, the other one fixed, with the smallest cross-entropy, by Newton's method: it is convex."""
    values, prior = np.array([0.0, slope]), np.array([0.0, 1.0])
    inputs = np.stack([np.ones_like(logits), logits])

    def loss(values: Floats) -> float:
        z = values @ inputs
        return float((np.logaddexp(0, z) - rewards * z).sum() + _PRIOR * np.square(values - prior).sum() / 2)

    for _ in range(100):
        p = _sigmoid(values @ inputs)
        gradient = (inputs @ (p - rewards) + _PRIOR * (values - prior))[free]
        curvature = ((inputs * (p * (1 - p))) @ inputs.T + _PRIOR * np.eye(2))[np.ix_(free, free)]
        step = np.zeros(2)
        step[free] = np.linalg.solve(curvature, gradient)
        if np.abs(step).max() < 1e-9:
            break
        while loss(values - step) > loss(values) and np.abs(step).max() > 1e-9:
            step /= 2
        values = values - step
    return float(values[0]), float(values[1])


def _in_order_of(confidences: Confidences, changed: Confidences) -> Confidences:
    """`changed` with each row strictly in the order of `confidences`."""
    order = np.argsort(confidences, axis=1, kind="stable")
    before, after = np.take_along_axis(confidences, order, axis=1), np.take_along_axis(changed, order, axis=1)
    # Room for as many steps upwards as there are models.
    after = np.minimum(after, np.float32(1 - after.shape[1] * 2**-24))
    for column in range(1, after.shape[1]):
        last = after[:, column - 1]
        least = np.where(before[:, column] > before[:, column - 1], np.nextafter(last, np.float32(2)), last)
        after[:, column] = np.maximum(after[:, column], least)
    result = np.empty_like(after)
    np.put_along_axis(result, order, after, axis=1)
    return result


def _logit(confidences: npt.NDArray[np.floating]) -> Floats:
    p = np.clip(confidences.astype(np.float64), _SURE, 1 - _SURE)
    logits: Floats = np.log(p / (1 - p))
    return logits


def _sigmoid(values: Floats) -> Floats:
    p: Floats = np.exp(-np.logaddexp(0, -values))
    return p
