"""What the logits of clips consist of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stf2m_sk.inspection._html import html_table

__all__ = ["Explanation", "RuleName"]


class RuleName(NamedTuple):
    """Which rule it is.

    Attributes
    ----------
    modality : str
        Name of the modality.
    kind : {"course", "level", "pattern"}
        Ramp rules on the course of a signal, on its level too; pattern rules.
    number : int
        Place among the rules of its kind and modality.
    """

    modality: str
    kind: str
    number: int

    def __str__(self) -> str:
        return f"{self.modality}_{self.kind}{self.number}"


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """Contributions that add up to the logits of clips.

    A logit is the sum over modalities (or rules, or frames of all modalities), plus the terms of
    the person, the networks and the priors.

    Parameters
    ----------
    classes : array of shape (n_classes,)
        Labels of the classifier.
    modalities : tuple of str
        Names of the modalities.
    rules : tuple of RuleName
        In the order of the rules.
    relative_to : {"population", "person"}
        What the firing of rules is compared with.
    factors : float64 array of shape (n_clips, n_classes)
        From mean scores by the rules to logits.
    weights : float64 array of shape (n_rules, n_classes)
        Posterior means of the weights.
    deviations : float64 array of shape (n_clips, n_rules)
        Scaled firing strengths less what they are compared with; 0 for a modality that is absent.
    frames : dict of str to float64 array of shape (n_clips, n_classes, n_frames)
        Sums over the rules of a modality in each frame, before the factors.
    rates : dict of str to float or None
        Sampling rates of the modalities.
    person, networks : float64 array of shape (n_clips, n_classes)
        Terms of the person, and of the networks.
    prior : float64 array of shape (n_classes,)
        Terms of the priors.
    contrast : float64 array of shape (n_outputs, n_classes), default=None
        Which sums over classes are shown; None: each class by itself.
    outputs : tuple of str, default=None
        Names of these; None: those of the classes.

    See Also
    --------
    explain : Makes one.

    Examples
    --------
    >>> from stf2m_sk import STF2MClassifier
    >>> from stf2m_sk.datasets import make_emotion_views
    >>> from stf2m_sk.inspection import explain
    >>> data = make_emotion_views(n_people=4, random_state=0)
    >>> clf = STF2MClassifier(n_networks=0, n_kernels=20, n_patterns=8, random_state=0)
    >>> clf = clf.fit(data.views, data.target, groups=data.groups)
    >>> explanation = explain(clf, data.views[:2])
    >>> len(explanation), explanation.modalities
    (2, ('motion', 'skin', 'pulse', 'voice'))
    >>> explanation.versus("emotion_0", "emotion_1").to_frame().columns.tolist()
    ['clip', 'emotion', 'term', 'modality', 'contribution']
    """

    classes: NDArray
    modalities: tuple[str, ...]
    rules: tuple[RuleName, ...]
    relative_to: str
    factors: NDArray[np.float64]
    weights: NDArray[np.float64]
    deviations: NDArray[np.float64]
    frames: dict[str, NDArray[np.float64]]
    rates: dict[str, float | None]
    person: NDArray[np.float64]
    networks: NDArray[np.float64]
    prior: NDArray[np.float64]
    contrast: NDArray[np.float64] | None = None
    outputs: tuple | None = None

    def __len__(self) -> int:
        return len(self.factors)

    def __repr__(self) -> str:
        return (
            f"Explanation({len(self)} clips; {', '.join(map(str, self.names))}; "
            f"{', '.join(self.modalities)}; relative to the {self.relative_to})"
        )

    def versus(self, emotion: object, other: object) -> Explanation:
        """Why one emotion and not another: contributions to the difference of their logits.

        Parameters
        ----------
        emotion, other : label
            Two of `classes`.

        Returns
        -------
        Explanation
            With one output, "emotion - other": above 0 is for `emotion`.

        Raises
        ------
        ValueError
            If a label is none of `classes`, or both are the same.
        """
        places = [self._place(emotion), self._place(other)]
        if places[0] == places[1]:
            raise ValueError(f"two different emotions are compared, got {emotion!r} twice")
        row = np.zeros((1, len(self.classes)))
        row[0, places] = 1.0, -1.0
        return replace(self, contrast=row, outputs=(f"{emotion} - {other}",))

    @property
    def names(self) -> tuple:
        """Names of the outputs: the labels, or the pair of `versus`."""
        return tuple(self.classes.tolist()) if self.outputs is None else self.outputs

    @cached_property
    def total(self) -> NDArray[np.float64]:
        """Logits, or their difference, (n_clips, n_outputs)."""
        return self.by_modality.sum(axis=2) + self.by_person + self.by_networks + self.by_prior

    @cached_property
    def by_modality(self) -> NDArray[np.float64]:
        """Contribution of each modality, (n_clips, n_outputs, n_modalities)."""
        modality = np.array([rule.modality for rule in self.rules])
        sums = [
            self._shown(self.factors * (self.deviations[:, own] @ self.weights[own]))
            for own in (modality == name for name in self.modalities)
        ]
        return np.stack(sums, axis=2)

    def by_rule(self, clips: int | slice | NDArray = slice(None)) -> NDArray[np.float64]:
        """Contribution of each rule.

        Parameters
        ----------
        clips : int, slice or array, default=slice(None)
            Which clips: all rules of very many clips are a large array.

        Returns
        -------
        float64 array of shape (n_clips, n_outputs, n_rules)
            Rules as in `rules`.
        """
        rows = np.atleast_1d(np.arange(len(self))[clips])
        each = self.factors[rows, :, None] * self.weights.T
        return self._shown(each) * self.deviations[rows, None]

    @cached_property
    def by_frame(self) -> dict[str, NDArray[np.float64]]:
        """Contribution of each frame of each modality, (n_clips, n_outputs, n_frames).

        What rules contribute as each channel stays at its mean over the clip, all measured frames
        share alike. What they contribute beyond that lies at the frames of their windows that
        leave the mean, in steps of about a thirtieth of the clip.
        """
        return {
            name: self._shown(self.factors[..., None] * own) for name, own in self.frames.items()
        }

    @property
    def by_person(self) -> NDArray[np.float64]:
        """Term of the person, (n_clips, n_outputs): level of each emotion and known shift."""
        return self._shown(self.person)

    @property
    def by_networks(self) -> NDArray[np.float64]:
        """Term of the networks, (n_clips, n_outputs)."""
        return self._shown(self.networks)

    @property
    def by_prior(self) -> NDArray[np.float64]:
        """Term of the priors, (n_clips, n_outputs)."""
        return self._shown(np.broadcast_to(self.prior, self.factors.shape))

    def times(self, modality: str) -> NDArray[np.float64]:
        """Times of the frames of a modality.

        Parameters
        ----------
        modality : str
            One of `modalities`.

        Returns
        -------
        float64 array of shape (n_frames,)
            Seconds from the start of a clip; frames where the sampling rate is unknown.
        """
        frames = np.arange(self.frames[modality].shape[2], dtype=np.float64)
        return frames / (self.rates[modality] or 1.0)

    def to_frame(self, of: Literal["modality", "rule", "frame"] = "modality") -> pd.DataFrame:
        """Contributions as a tidy table.

        Parameters
        ----------
        of : {"modality", "rule", "frame"}, default="modality"
            How finely the sums over the rules are taken apart.

        Returns
        -------
        DataFrame
            Columns clip, emotion, term, contribution, and before the last modality, kind and
            number of a rule, or modality and time of a frame. The contributions of a clip and
            an emotion sum to `total`. Terms are "rules", "person", "networks" and "prior".

        Raises
        ------
        ValueError
            If `of` is none of these.
        """
        if of == "modality":
            keys = pd.DataFrame({"modality": self.modalities})
            values = self.by_modality
        elif of == "rule":
            keys = pd.DataFrame(self.rules, columns=list(RuleName._fields))
            values = self.by_rule()
        elif of == "frame":
            tables = [
                pd.DataFrame({"modality": name, "time": self.times(name)})
                for name in self.modalities
            ]
            keys = pd.concat(tables, ignore_index=True)
            values = np.concatenate([self.by_frame[name] for name in self.modalities], axis=2)
        else:
            raise ValueError(f'of must be "modality", "rule" or "frame", got {of!r}')
        others = {
            "person": self.by_person,
            "networks": self.by_networks,
            "prior": self.by_prior,
        }
        tables = [self._tidy(values, keys.assign(term="rules"))]
        tables += [
            self._tidy(own[..., None], pd.DataFrame({"term": [name]}))
            for name, own in others.items()
        ]
        table = pd.concat(tables, ignore_index=True)
        first = ["clip", "emotion", "term"]
        return table[[*first, *keys.columns, "contribution"]].sort_values(
            ["clip", "emotion"], kind="stable", ignore_index=True
        )

    def plot(self, X: Any, clip: int = 0, emotion: object = None, ax: Any = None) -> Any:
        """Draw one clip: its signals with contributions over time, and the terms of its logit.

        Parameters
        ----------
        X : as in `STF2MClassifier.fit`
            The clips that were explained: an explanation does not keep the signals.
        clip : int, default=0
            Which of them.
        emotion : label, default=None
            One of `names`; None: the most probable.
        ax : matplotlib Axes, default=None
            Of `subplots`; its place is divided among the panels. None makes a figure.

        Returns
        -------
        ExplanationDisplay
            Drawn.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If X are other clips, or there is no such clip or emotion.
        """
        from stf2m_sk.inspection._displays._explanation import ExplanationDisplay

        display = ExplanationDisplay.from_explanation(self, X, clip=clip, emotion=emotion)
        return display.plot(ax=ax)

    def _repr_html_(self) -> str:
        return html_table(self)

    def _tidy(self, values: NDArray, keys: pd.DataFrame) -> pd.DataFrame:
        n_clips, n_outputs, n_keys = values.shape
        table = keys.loc[np.tile(np.arange(n_keys), n_clips * n_outputs)].reset_index(drop=True)
        table.insert(0, "clip", np.repeat(np.arange(n_clips), n_outputs * n_keys))
        table.insert(1, "emotion", np.tile(np.repeat(self._objects(), n_keys), n_clips))
        return table.assign(contribution=values.ravel())

    def _objects(self) -> NDArray:
        return np.array([*self.names, None], dtype=object)[:-1]

    def _shown(self, of_classes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums over classes that are shown; the axis of the classes is the second."""
        if self.contrast is None:
            return of_classes
        return np.moveaxis(np.tensordot(self.contrast, of_classes, axes=(1, 1)), 0, 1)

    def _place(self, emotion: object) -> int:
        labels: Iterable = self.classes.tolist()
        found = [i for i, label in enumerate(labels) if label == emotion]
        if not found:
            raise ValueError(f"{emotion!r} is none of the emotions {self.classes.tolist()}")
        return found[0]
