"""How the networks learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from stf2m_sk.inspection._displays._style import (
    COLOURS,
    INK,
    MARKERS,
    grid_of,
    without_frame,
)

__all__ = ["TrainingDisplay"]


@dataclass(eq=False, repr=False)
class TrainingDisplay:
    """Losses and accuracy of the networks, epoch by epoch.

    Make it with `from_estimator`.

    Parameters
    ----------
    history : sequence of list of dict
        For each network and epoch: epoch and train_loss, and where clips were held out
        valid_loss and valid_acc (balanced accuracy).

    Attributes
    ----------
    axes_ : array of Axes of shape (1,) or (2,)
        Losses, and accuracy where there is one.
    figure_ : matplotlib Figure
        Of both.

    Examples
    --------
    >>> from stf2m_sk.inspection import TrainingDisplay
    >>> TrainingDisplay([[{"epoch": 1, "train_loss": 1.4}, {"epoch": 2, "train_loss": 1.1}]])
    TrainingDisplay(1 network, 2 epochs)
    """

    history: Sequence[list[dict]]

    @classmethod
    def from_estimator(cls, classifier: Any) -> TrainingDisplay:
        """Take the history of a fitted classifier.

        Parameters
        ----------
        classifier : STF2MClassifier or Pipeline
            Fitted; a Pipeline ends in one.

        Returns
        -------
        TrainingDisplay

        Raises
        ------
        NotFittedError
            If it is not fitted.
        ValueError
            If it has no networks.
        """
        check_is_fitted(classifier)
        last = classifier[-1] if isinstance(classifier, Pipeline) else classifier
        history = list(last.history_)
        if not history:
            raise ValueError(
                "no network was trained: the classifier was fitted with n_networks=0, or the file "
                "it came from holds no history"
            )
        return cls(history)

    def plot(self, ax: Any = None) -> TrainingDisplay:
        """Draw losses, and beside them accuracy where clips were held out.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Of `subplots`; its place is divided among the panels. None makes a figure.

        Returns
        -------
        TrainingDisplay
            Itself, with `axes_` and `figure_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If `ax` was placed by hand.
        """
        names = {name for own in self.history for epoch in own for name in epoch}
        n_panels = 2 if "valid_acc" in names else 1
        self.figure_, grid = grid_of(ax, 1, n_panels, (5.2 * n_panels, 4.0))
        add = self.figure_.add_subplot
        self.axes_ = np.array([add(grid[0, i]) for i in range(n_panels)])
        for i, own in enumerate(self.history):
            style = {"color": COLOURS[i % len(COLOURS)], "marker": MARKERS[i % len(MARKERS)]}
            style |= {"markersize": 5, "markevery": max(1, len(own) // 8)}
            _draw(self.axes_[0], own, "train_loss", linestyle="--", mfc="white", **style)
            _draw(self.axes_[0], own, "valid_loss", linestyle="-", **style)
            _draw(self.axes_[-1], own, "valid_acc", linestyle="-", **style)
            self.axes_[0].plot([], [], linestyle="", label=f"network {i + 1}", **style)
        for axes, name in zip(self.axes_, ("loss", "balanced accuracy"), strict=False):
            axes.set_xlabel("epoch")
            axes.set_ylabel(name)
            axes.xaxis.get_major_locator().set_params(integer=True)
            without_frame(axes)
        self.axes_[0].plot([], [], "--", color=INK, label="clips trained on")
        if n_panels > 1:
            self.axes_[0].plot([], [], "-", color=INK, label="clips held out")
            self.axes_[1].set_title("Accuracy on clips held out", loc="left")
            self.axes_[1].set_ylim(0, 1)
        self.axes_[0].set_title("Losses of the networks", loc="left")
        self.axes_[0].legend(frameon=False, fontsize="small")
        return self

    def __repr__(self) -> str:
        n, longest = len(self.history), max(map(len, self.history))
        return f"TrainingDisplay({n} network{'s' if n > 1 else ''}, {longest} epochs)"


def _draw(axes: Any, epochs: list[dict], name: str, **style) -> None:
    points = [(epoch["epoch"], epoch[name]) for epoch in epochs if name in epoch]
    if points:
        axes.plot(*zip(*points, strict=True), **style)
