"""The rules of a classifier as a table that can be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.pipeline import Pipeline
from sklearn.utils import check_scalar

from stf2m_sk._validation import check_groups, check_labels, check_measured, torch_threads
from stf2m_sk.classifier import STF2MClassifier
from stf2m_sk.fitted import FittedModel
from stf2m_sk.inspection._explain import unwrap
from stf2m_sk.inspection._firing import Firing, firing_of, weight_deviations
from stf2m_sk.inspection._merging import Merged, merged
from stf2m_sk.inspection._windows import antecedents
from stf2m_sk.inspection._wording import Wording, wording_of
from stf2m_sk.nn.signals import Signals
from stf2m_sk.views import Views, as_views

__all__ = ["Clips", "check_known", "check_units", "rule_table", "table_of"]


class Clips(NamedTuple):
    """What is known of clips: their emotions, and their people or None."""

    y: NDArray
    groups: NDArray | None


def rule_table(
    classifier: STF2MClassifier | Pipeline,
    X: Any,
    y: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    units: Mapping[str, str] | None = None,
    n_rules: int | None = 100,
) -> pd.DataFrame:
    """Put the rules of a classifier into words, with what they weigh and how often they fire.

    Parameters
    ----------
    classifier : STF2MClassifier or Pipeline
        Fitted or adapted; a Pipeline ends in one.
    X : as in `STF2MClassifier.fit`
        Clips in which the rules are looked at, such as those of `fit`.
    y : array-like of shape (n_clips,)
        Their emotions.
    groups : array-like of shape (n_clips,), default=None
        Their people. None: nothing is said of people.
    units : mapping of str to str, default=None
        Unit of each modality, such as ``{"eda": "uS"}``; of a recording:
        ``{name: signal.unit for name, signal in recording.signals.items()}``. Sizes of a modality
        that is left out are said without a unit.
    n_rules : int or None, default=100
        Most rows. None: all rules that ever fire, about a thousand.

    Returns
    -------
    DataFrame
        A row for each rule, the most important one first. Columns:

        rule : str
            In words.
        prediction : label
            The emotion that it weighs most for.
        importance : float
            Its mean contribution to the logit of `prediction` in the clips of this emotion, less
            that in the clips of others.
        modality, channels : str
            Where it looks; channels with their mixture, of which absolute weights sum to 1.
        kind : {"level", "rise", "fall", "peak", "dip", "rhythm", "burst"}
            What it looks for.
        window : float
            How long that takes, in seconds; in frames where the rate is unknown.
        size : float
            How large it is, in the unit of the modality; of a level the level itself.
        unit : str
            The unit; empty where unknown.
        rate : float
            Of a rhythm in Hz, or cycles a frame; NaN of all others.
        fires_<emotion> : float
            Share of the time in which it fires in the clips of an emotion.
        weight_<emotion>, deviation_<emotion> : float
            Posterior mean and deviation of its weight, in logits per standard deviation of the
            firing over the clips.
        people : float
            People in whose own clips it fires more in the emotion of `prediction` than in others;
            NaN without `groups`.
        people_share : float
            Their share among the people who have shown both.
        n_merged : int
            Rules of the classifier that are taken together in this row.

    Raises
    ------
    NotFittedError
        If the classifier is not fitted.
    TypeError
        If it is no STF2MClassifier, nor a Pipeline that ends in one.
    ValueError
        If X is not as at `fit`, y or groups do not fit it, `y` holds a label that is none of
        `classes_`, `units` names an unknown modality, or `n_rules` is below 1.

    Notes
    -----
    Rules of one modality of which the firing correlates by more than 0.95 are one row: their
    weights add up, and the most important of them is put into words.

    What a rule looks for is what the signal does where it fires: the windows around the frames in
    which it fires most, one in each of the 100 clips of the predicted emotion in which it fires
    most, aligned and averaged in the units of the signal. The taps of a random kernel would not
    show it. The window is wider than that of the rule where the signal goes on. A rule of which
    three quarters of the firing follow the mean level of the clips is a level.

    A ramp rule that fires more than half of the time is turned round, and its weight changes the
    sign. Importance counts what differs between emotions: the spread of a contribution over clips
    alone would put rules first that vary much and tell little. Networks are in no row. Source:
    ours; columns `rule` and `prediction` are those of imodels.

    Examples
    --------
    >>> from stf2m_sk import STF2MClassifier
    >>> from stf2m_sk.datasets import make_emotion_views
    >>> from stf2m_sk.inspection import rule_table
    >>> data = make_emotion_views(n_people=6, random_state=0)
    >>> clf = STF2MClassifier(n_networks=0, n_kernels=40, n_patterns=32, random_state=0)
    >>> clf = clf.fit(data.views, data.target, groups=data.groups)
    >>> table = rule_table(clf, data.views, data.target, groups=data.groups)
    >>> table[["rule", "prediction", "people_share"]].shape[1]
    3
    >>> bool(table["importance"].is_monotonic_decreasing)
    True
    """
    classifier, X = unwrap(classifier, X)
    views = as_views(X, classifier.schema_)
    check_measured(views)
    clips = Clips(check_labels(y, views.n_clips), check_groups(groups, views.n_clips))
    check_known(clips.y, classifier.classes_)
    units = check_units(units, views.names)
    if n_rules is not None:
        check_scalar(n_rules, "n_rules", Integral, min_val=1)
    model = classifier.model_
    with torch_threads(classifier.n_threads):
        firing = firing_of(model, views)
        rules = merged(firing, clips.y, model.classes)[:n_rules]
        return table_of(model, views, firing, rules, clips, units)


def table_of(
    model: FittedModel,
    views: Views,
    firing: Firing,
    rules: Sequence[Merged],
    clips: Clips,
    units: Mapping[str, str],
) -> pd.DataFrame:
    """Rows of `rule_table`, in the order of the rules.

    Parameters
    ----------
    model : FittedModel
        Of a classifier.
    views : Views
        Clips to look at.
    firing : Firing
        How the rules fire in them.
    rules : sequence of Merged
        Of which the most important member is put into words.
    clips : Clips
        Emotions and people of the clips.
    units : mapping of str to str
        Units of modalities.

    Returns
    -------
    DataFrame
    """
    deviations = weight_deviations(model, firing, [own.members for own in rules])
    described = _wordings(model, views, firing, rules, clips.y, units)
    rows = [
        _row(own, wording, firing, deviation, model.classes, clips, units.get(wording.modality, ""))
        for own, wording, deviation in zip(rules, described, deviations, strict=True)
    ]
    return pd.DataFrame(rows, columns=None if rows else ["rule", "prediction"])


def _wordings(
    model: FittedModel,
    views: Views,
    firing: Firing,
    rules: Sequence[Merged],
    y: NDArray,
    units: Mapping[str, str],
) -> list[Wording]:
    modules, parts = zip(*model.standardised(views), strict=True)
    module, looks = modules[0], antecedents(modules[0], _joined(parts))
    scales = [
        getattr(module.standardiser, f"scale_{i}")[:, 0].double().cpu().numpy()
        for i in range(len(views.names))
    ]
    found = []
    for own in rules:
        rule = own.members[0]
        place = looks[rule].modality
        modality = views.schema[views.names[place]]
        found.append(
            wording_of(
                looks[rule],
                firing.strengths[:, rule],
                y == model.classes[own.weights.argmax()],
                bool(firing.is_inverted[rule]),
                np.asarray(views[modality.name]),
                scales[place],
                modality,
                units.get(modality.name, ""),
            )
        )
    return found


def check_units(units: Mapping[str, str] | None, names: Sequence[str]) -> dict[str, str]:
    """Units of modalities; those that are not known are left out.

    Parameters
    ----------
    units : mapping of str to str or None
        As given.
    names : sequence of str
        Modalities.

    Returns
    -------
    dict of str to str

    Raises
    ------
    ValueError
        If a modality is none of `names`.
    """
    units = dict(units or {})
    unknown = [name for name in units if name not in names]
    if unknown:
        raise ValueError(f"units names modalities that are not there: {unknown}; of {list(names)}")
    return units


def check_known(y: NDArray, classes: NDArray) -> None:
    """Refuse labels that a classifier does not answer with.

    Parameters
    ----------
    y : array of shape (n_clips,)
        Labels.
    classes : array
        Of the classifier.

    Raises
    ------
    ValueError
        If there are others in `y`.
    """
    unknown = sorted(set(y.tolist()) - set(classes.tolist()), key=str)
    if unknown:
        raise ValueError(f"y holds emotions that are none of {classes.tolist()}: {unknown}")


def _joined(parts: Sequence[Signals]) -> Signals:
    return Signals(
        tuple(map(torch.cat, zip(*(part.values for part in parts), strict=True))),
        tuple(map(torch.cat, zip(*(part.frames for part in parts), strict=True))),
        torch.cat([part.present for part in parts]),
    )


def _row(
    own: Merged,
    wording: Wording,
    firing: Firing,
    deviation: NDArray[np.float64],
    classes: NDArray,
    clips: Clips,
    unit: str,
) -> dict[str, Any]:
    strengths = firing.strengths[:, own.members[0]]
    best = int(own.weights.argmax())
    fires = {emotion: _mean(strengths[clips.y == emotion]) for emotion in classes.tolist()}
    people, share = _people(strengths, clips.y == classes[best], clips.groups)
    shape = wording.shape
    return {
        "rule": f"{wording.words}: {_how_often(strengths, clips.y, classes, best)}",
        "prediction": classes[best],
        "importance": own.importance,
        "modality": wording.modality,
        "channels": wording.channels,
        "kind": shape.kind,
        "window": shape.length,
        "size": shape.size,
        "unit": unit,
        "rate": shape.rate,
        **{f"fires_{emotion}": share for emotion, share in fires.items()},
        **{f"weight_{c}": w for c, w in zip(classes.tolist(), own.weights, strict=True)},
        **{f"deviation_{c}": d for c, d in zip(classes.tolist(), deviation, strict=True)},
        "people": people,
        "people_share": share,
        "n_merged": len(own.members),
    }


def _how_often(strengths, y, classes, best) -> str:
    own = f"fires {_mean(strengths[y == classes[best]]):.0%} of the time in {classes[best]}"
    others = f"{classes[1 - best]}" if len(classes) == 2 else "other emotions"
    text = f"{own}, {_mean(strengths[y != classes[best]]):.0%} in {others}"
    return text.replace("%", " %")


def _people(strengths, is_own, groups) -> tuple[float, float]:
    """People in whose clips a rule fires more in its own emotion, and their share."""
    if groups is None:
        return np.nan, np.nan
    differences = [
        _mean(strengths[of_person & is_own]) - _mean(strengths[of_person & ~is_own])
        for of_person in (groups == person for person in np.unique(groups))
    ]
    known = [difference for difference in differences if not np.isnan(difference)]
    agreeing = sum(difference > 0 for difference in known)
    return float(agreeing), agreeing / len(known) if known else np.nan


def _mean(strengths: NDArray[np.float64]) -> float:
    known = strengths[~np.isnan(strengths)]
    return float(known.mean()) if len(known) else np.nan
