"""The card of a model: what it was trained on and with, how good it is, and its limits."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from stf2m_sk.fitted import FittedModel
from stf2m_sk.persistence import NOT_SAVED
from stf2m_sk.views import Modality

if TYPE_CHECKING:
    import pandas as pd

    from stf2m_sk.classifier import STF2MClassifier

__all__ = ["ModelCard", "describe"]

# What Markdown would take for a mark. An underscore within a word is none.
_MARKS = re.compile(r"([\\`*<>\[\]|]|(?<!\w)_|_(?!\w))")
_UNKNOWN = "–"


@dataclass(frozen=True, repr=False)
class ModelCard:
    """A model's card; `str` gives its text, and notebooks show it.

    Parameters
    ----------
    text : str
        Markdown.
    """

    text: str

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.text

    def _repr_markdown_(self) -> str:
        return self.text


def describe(classifier: STF2MClassifier, scores: Any = None) -> ModelCard:
    """Write the card of a fitted classifier; see `STF2MClassifier.model_card`.

    Parameters
    ----------
    classifier : STF2MClassifier
        Fitted.
    scores : DataFrame or mapping of str to float, default=None
        Of an evaluation.

    Returns
    -------
    ModelCard

    Raises
    ------
    TypeError, ValueError
        If `scores` are something else, or none.
    """
    model = classifier.model_
    parts = [
        f"# Model card: {type(classifier).__name__}",
        "Emotion recognition from few labelled clips of multi-modal recordings (ST-F2M).",
        "## Training data",
        *_training_data(model),
        *_person(model),
        "## Scores",
        *_scores(model, scores),
        "## Limits",
        _bullets(_limits(model)),
        "## Settings",
        _bullets(_settings(classifier)),
        "## Versions at fit",
        _bullets(f"{name} {version}" for name, version in model.provenance.versions.items()),
    ]
    return ModelCard("\n\n".join(parts) + "\n")


def _training_data(model: FittedModel) -> list[str]:
    known, total = model.provenance, sum(model.provenance.n_clips)
    people = "not told apart (no `groups`)" if known.n_people is None else f"{known.n_people:,}"
    emotions = zip(model.population_classes.tolist(), known.n_clips, strict=True)
    modalities = [
        [
            one.name,
            _channels(one),
            "not known" if one.rate is None else f"{one.rate:g} Hz",
            _window(one),
            f"{total - n:,} ({(total - n) / total:.0%})",
        ]
        for one, n in zip(model.schema, known.n_measured, strict=True)
    ]
    return [
        _bullets([f"People: {people}", f"Clips: {total:,}"]),
        _table(["emotion", "clips"], emotions),
        _table(["modality", "channels", "rate", "longest clip", "clips without it"], modalities),
    ]


def _channels(modality: Modality) -> str:
    names = modality.channel_names
    return f"{modality.n_channels}" + (f": {', '.join(names)}" if names else "")


def _window(modality: Modality) -> str:
    frames = f"{modality.n_timesteps:,} frames"
    return frames if modality.rate is None else f"{modality.n_timesteps / modality.rate:g} s"


def _person(model: FittedModel) -> list[str]:
    """What a classifier that was adapted, or has learned since, knows beside the population."""
    lines = []
    if model.support is not None:
        n_clips = np.bincount(model.support.first_labels())
        pairs = zip(model.support.labels.tolist(), n_clips.tolist(), strict=False)
        named = ", ".join(f"{_escaped(label)} {n}" for label, n in pairs if n)
        lines.append(f"Labelled clips: {n_clips.sum():,} ({named})")
    if model.person is not None:
        lines.append(f"Unlabelled clips: {model.person.n_clips:,}")
    known = model.population_classes.tolist()
    labels = model.classes.tolist()
    if labels != known:
        lines.append(f"It answers with: {_listed(labels)}")
        new = [label for label in labels if label not in known]
        if new:
            lines.append(f"Not in the training data: {_listed(new)}")
    return ["## Person", _bullets(lines)] if lines else []


def _settings(classifier: STF2MClassifier) -> list[str]:
    """Parameters that a file keeps, so that a card is the same after loading."""
    defaults = type(classifier)().get_params(deep=False)
    left_out = (*NOT_SAVED, "schema")  # a schema is the table of modalities
    given = {
        name: _plain(value)
        for name, value in classifier.get_params(deep=False).items()
        if name not in left_out
    }
    kept = {name: value for name, value in given.items() if value == defaults[name]}
    changed = {name: value for name, value in given.items() if name not in kept}
    ensemble = classifier.model_.module.ensemble
    n_networks = 0 if ensemble is None else len(ensemble.networks)
    return [
        f"Model: {classifier.model_.module.n_rules:,} features of fuzzy rules, "
        f"{n_networks} networks",
        f"Set: {_parameters(changed)}",
        f"At their defaults: {_parameters(kept)}",
    ]


def _parameters(values: Mapping[str, Any]) -> str:
    return ", ".join(f"`{name}={value!r}`" for name, value in values.items()) or "none"


def _plain(value: Any) -> Any:
    """A parameter as it is read back from a file."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, dict):
        return {_plain(label): _plain(number) for label, number in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def _scores(model: FittedModel, scores: Any) -> list[str]:
    said = [_given_scores(scores)]
    found = [[row["valid_acc"] for row in rows if "valid_acc" in row] for rows in model.history]
    best = [f"{max(values):.3g}" for values in found if values]
    if best:
        # As `train_networks` holds out: of one person, clips.
        held = "people" if (model.provenance.n_people or 1) > 1 else "clips"
        said.append(
            f"Balanced accuracy of each network on {held} held out of its training: "
            f"{', '.join(best)}. Its best epoch was chosen by it, so it is too high."
        )
    return said


def _given_scores(scores: Any) -> str:
    if scores is None:
        return (
            "Not evaluated: no scores were given. `stf2m_sk.model_selection` scores a classifier "
            "on people it was not trained on; give the result to `model_card(scores=...)`."
        )
    import pandas as pd  # which takes long to import

    if isinstance(scores, pd.DataFrame):
        names, rows = _of_frame(scores)
    elif isinstance(scores, Mapping):
        names, rows = _of_mapping(scores)
    else:
        raise TypeError(
            f"scores is a {type(scores).__name__}; expected a pandas.DataFrame, such as the "
            "summary of an evaluation, or a mapping of names to numbers."
        )
    if not rows or not names:
        raise ValueError("scores is empty; give at least one score, or leave scores out.")
    return _table(names, rows)


def _of_frame(scores: pd.DataFrame) -> tuple[list[str], list[tuple]]:
    numbered = scores.reset_index(drop=True)
    frame = numbered if scores.index.equals(numbered.index) else scores.reset_index()
    names = [str(name) for name in frame.columns]
    rows = list(frame.astype(object).where(frame.notna(), None).itertuples(index=False, name=None))
    for row in rows:
        for name, value in zip(names, row, strict=True):
            if not (value is None or isinstance(value, str | Real)):
                raise TypeError(
                    f"scores holds a {type(value).__name__} in the column {name!r}; expected "
                    "numbers and text. Give a summary, such as the mean over people."
                )
    return names, rows


def _of_mapping(scores: Mapping[Any, Any]) -> tuple[list[str], list[tuple]]:
    for name, value in scores.items():
        if not isinstance(value, Real) or isinstance(value, bool):
            raise TypeError(
                f"scores[{name!r}] is of type {type(value).__name__}; expected a number. Of "
                "several, such as those of folds, give the mean."
            )
    return ["score", "value"], list(scores.items())


def _limits(model: FittedModel) -> list[str]:
    n_people = model.provenance.n_people
    if n_people is None:
        people = (
            "People were not told apart in training: how they differ was not learned, and "
            "probabilities may be too certain for new people."
        )
    else:
        people = (
            f"It has seen {n_people:,} {'person' if n_people == 1 else 'people'}. Others may "
            "differ from all of them, in age, health, culture, sensors or situation, and get worse "
            "predictions. Scores hold for people like those scored."
        )
    return [
        "It estimates labels as they were given in training. It is not a diagnosis and not for "
        "medical use.",
        people,
        f"It always answers with one of {len(model.classes)} labels, also where none fits.",
        "Where labels last for long stretches, such as a film or a task, a clip can be told by its "
        "moment alone. Compare a score with that of the label nearest in time.",
        "`predict` warns of clips unlike the training clips, and "
        "`stf2m_sk.inspection.unlikeness` measures it. A low value says that a clip is like those, "
        "not that the prediction is right.",
    ]


def _listed(labels: Iterable[Any]) -> str:
    return ", ".join(_escaped(label) for label in labels)


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _table(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    cells = [[_cell(value) for value in row] for row in [names, *rows]]
    lines = ["| " + " | ".join(row) + " |" for row in cells]
    return "\n".join([lines[0], "|" + " --- |" * len(names), *lines[1:]])


def _cell(value: Any) -> str:
    if value is None:
        return _UNKNOWN
    if not isinstance(value, Real) or isinstance(value, int | np.integer):
        return _escaped(value)
    number = float(value)
    if math.isnan(number):
        return _UNKNOWN
    return f"{number:.0f}" if number.is_integer() else f"{number:.3g}"


def _escaped(value: Any) -> str:
    """On one line, and without what Markdown would take for a mark."""
    return _MARKS.sub(r"\\\1", " ".join(str(value).split()))
