"""Probabilities of windows, and what the unlabelled windows of a person add to them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from stf2m_sk._validation import torch_threads
from stf2m_sk.fitted import FittedModel
from stf2m_sk.person import PersonMean
from stf2m_sk.recordings._signal import Signal
from stf2m_sk.recordings._windows import n_window_samples, read_window
from stf2m_sk.views import Views, ViewSchema

__all__ = ["Clips", "Reader", "answer_all", "expected_schema", "reader_of"]

_WINDOWS_AT_ONCE = 32
_VALUES_AT_ONCE = 2**20  # of a chunk of windows
_FEATURES_KEPT = 2**24  # values: 64 MB; what does not fit is computed twice
_GROWTH = 1.1  # after each tenth more clips the unlabelled clips are read anew


class Clips:
    """The windows of a recording, read chunk by chunk.

    Parameters
    ----------
    signals : mapping of str to Signal
        Of numbers.
    starts : float64 array of shape (n_windows,)
        In seconds.
    window : float
        Length in seconds.
    """

    def __init__(
        self, signals: Mapping[str, Signal], starts: NDArray[np.float64], window: float
    ) -> None:
        self._signals, self._starts, self._window = signals, starts, window
        per_window = sum(
            signal.n_channels * n_window_samples(name, signal.rate, window)
            for name, signal in signals.items()
        )
        self._size = min(_WINDOWS_AT_ONCE, max(1, _VALUES_AT_ONCE // per_window))

    def __len__(self) -> int:
        return len(self._starts)

    def chunks(self, first: int = 0) -> Iterator[tuple[NDArray[np.intp], Views]]:
        """Read the windows in which anything is measured, some at a time.

        Parameters
        ----------
        first : int, default=0
            Window to begin with.

        Yields
        ------
        rows : int array
            Places of the windows.
        views : Views of len(rows)
            Their values.
        """
        for start in range(first, len(self), self._size):
            views, is_measured = self._read(self._starts[start : start + self._size])
            if views is not None:
                yield start + np.flatnonzero(is_measured), views

    def _read(self, starts: NDArray[np.float64]) -> tuple[Views | None, NDArray[np.bool_]]:
        windows = [read_window(self._signals, start, self._window) for start in starts.tolist()]
        is_measured = np.array(
            [any(not np.isnan(array).all() for array in values.values()) for values in windows]
        )
        if not is_measured.any():
            return None, is_measured
        kept = [values for values, is_kept in zip(windows, is_measured, strict=True) if is_kept]
        views = Views(
            {name: np.stack([values[name] for values in kept]) for name in self._signals},
            rates={name: signal.rate for name, signal in self._signals.items()},
            channel_names={n: s.channels for n, s in self._signals.items() if s.channels},
        )
        return views, is_measured


class Reader(Protocol):
    """Gives probabilities to windows.

    Attributes
    ----------
    classes : array of shape (n_classes,)
        Columns of the probabilities.
    """

    classes: NDArray

    def answers(self, clips: Clips) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float64]]]:
        """Rows of windows, and their probabilities, (len(rows), n_classes)."""


def reader_of(classifier: object, *, unlabelled: bool, causal: bool) -> Reader:
    """The reader for a classifier.

    Parameters
    ----------
    classifier : STF2MClassifier, Pipeline that ends in one, or any classifier of Views
        Fitted or adapted.
    unlabelled : bool
        Whether the windows serve as the person's unlabelled clips.
    causal : bool
        Whether a window learns from those before it only.

    Returns
    -------
    Reader
        The classifier is not changed.

    Raises
    ------
    NotFittedError
        If the classifier is not fitted.
    TypeError
        If it has no `predict_proba`, or cannot take unlabelled clips one by one.
    """
    if not hasattr(classifier, "predict_proba"):
        raise TypeError(
            f"classifier must have predict_proba(views), given {type(classifier).__name__}"
        )
    if isinstance(classifier, BaseEstimator):
        check_is_fitted(classifier)
    if not unlabelled:
        return _PlainReader(classifier)
    steps, last = _unpacked(classifier)
    if not isinstance(getattr(last, "model_", None), FittedModel):
        raise TypeError(
            "unlabelled=True takes an STF2MClassifier or a Pipeline that ends in one, given "
            f"{type(classifier).__name__}; adapt it yourself and pass unlabelled=False"
        )
    adapting = [type(step).__name__ for step in steps if hasattr(step, "adapt")]
    if adapting and last.model_.person is None and last.model_.support is None:
        raise TypeError(
            f"step {adapting[0]} of the Pipeline adapts to a person, too, from all clips at once: "
            "call stf2m_sk.pipelines.adapt_pipeline(classifier, unlabelled=clips) first, with "
            "clips = cut(recording, label=None, window=...).views, or pass unlabelled=False"
        )
    return (_CausalReader if causal else _WholeReader)(steps, last)


def expected_schema(classifier: object) -> ViewSchema | None:
    """Modalities that a classifier takes; None where it does not say."""
    steps, last = _unpacked(classifier)
    first = steps[0] if steps else last
    return getattr(first, "schema_", None)


def answer_all(reader: Reader, clips: Clips) -> NDArray[np.float64]:
    """Probabilities of all windows; NaN where nothing is measured.

    Parameters
    ----------
    reader : Reader
        Of `reader_of`.
    clips : Clips
        Windows.

    Returns
    -------
    float64 array of shape (n_windows, n_classes)
    """
    filled = np.full((len(clips), len(reader.classes)), np.nan)
    for rows, probabilities in reader.answers(clips):
        filled[rows] = probabilities
    return filled


def _unpacked(classifier: object) -> tuple[list, object]:
    """Steps before the classifier, Pipelines inside opened, and the classifier itself."""
    if not isinstance(classifier, Pipeline):
        return [], classifier
    *steps, (_, last) = classifier.steps
    opened: list = []
    for _, step in steps:
        if isinstance(step, Pipeline):
            before, own = _unpacked(step)
            opened += [*before, own]
        elif step is not None and step != "passthrough":
            opened.append(step)
    before, last = _unpacked(last)
    return opened + before, last


class _PlainReader:
    """Each window by itself."""

    def __init__(self, classifier) -> None:
        self._classifier = classifier
        self.classes = np.asarray(classifier.classes_)

    def answers(self, clips: Clips) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float64]]]:
        for rows, views in clips.chunks():
            yield rows, np.asarray(self._classifier.predict_proba(views), dtype=np.float64)


class _FeatureReader:
    """What the readers share that take unlabelled windows: features once, states when needed."""

    def __init__(self, steps: Sequence, classifier) -> None:
        self._steps, self._classifier = steps, classifier
        self._model: FittedModel = classifier.model_
        self.classes = np.asarray(classifier.classes_)

    def _embed(self, views: Views) -> NDArray[np.float32]:
        for step in self._steps:
            views = step.transform(views)
        views = views.conform(self._model.schema)
        with torch_threads(self._classifier.n_threads):
            return self._model.embed(views).numpy()

    def _with_person(self, total: NDArray[np.float64], n: int) -> FittedModel:
        """The model after unlabelled clips; labelled ones that it has read stay."""
        with torch_threads(self._classifier.n_threads):
            model = self._model.derived(
                person=PersonMean(total / n, n),
                support_weight=float(self._classifier.support_weight),
            )
            _ = model.state
        return model

    def _probabilities(self, model: FittedModel, features: NDArray) -> NDArray[np.float64]:
        with torch_threads(self._classifier.n_threads):
            logits = model.logits_of(model.state, torch.from_numpy(features))
            return torch.softmax(logits, dim=-1).numpy()


class _WholeReader(_FeatureReader):
    """All windows are the person's unlabelled clips."""

    def answers(self, clips: Clips) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float64]]]:
        kept, total, n, n_values = [], 0.0, 0, 0
        rest = None  # first window whose features are not kept
        for rows, views in clips.chunks():
            features = self._embed(views)
            total = total + features.sum(axis=0, dtype=np.float64)
            n += len(rows)
            n_values += features.size
            if n_values <= _FEATURES_KEPT:
                kept.append((rows, features))
            elif rest is None:
                rest = int(rows[0])
        if not n:
            return
        model = self._with_person(total, n)
        for rows, features in kept:
            yield rows, self._probabilities(model, features)
        if rest is not None:
            for rows, views in clips.chunks(rest):
                yield rows, self._probabilities(model, self._embed(views))


class _CausalReader(_FeatureReader):
    """A window's unlabelled clips are itself and those before it.

    They are read anew after each clip up to ten, and then after each tenth more, so that a clip
    costs a little more than its features.
    """

    def __init__(self, steps: Sequence, classifier) -> None:
        super().__init__(steps, classifier)
        self._total: NDArray[np.float64] | float = 0.0
        self._n, self._next = 0, 1
        self._current: FittedModel | None = None

    def answers(self, clips: Clips) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float64]]]:
        for rows, views in clips.chunks():
            features = self._embed(views)
            first = 0
            while first < len(features):
                last = self._take(features, first)
                yield rows[first:last], self._probabilities(self._current, features[first:last])
                first = last

    def _take(self, features: NDArray, first: int) -> int:
        """Count windows in, up to where the state must change again; returns that place."""
        last = first
        while last < len(features):
            if last > first and self._n + 1 >= self._next:
                break
            self._total = self._total + features[last].astype(np.float64)
            self._n += 1
            last += 1
            if self._n >= self._next:
                self._current = self._with_person(self._total, self._n)
                self._next = max(self._n + 1, math.ceil(_GROWTH * self._n))
        return last
