"""Classifiers to compare with: one interface, one peer a file.

    peer = make_peer("minirocket-pooled", seed=0)
    peer.fit(signals, labels, people)                 # the population
    features = peer.features(signals_of_somebody)     # once for each clip
    peer.answer(take(features, support), labels_of_support, take(features, query))

Signals are dicts of float arrays ``(n_clips, n_channels, n_frames)``, one a modality, NaN where
not measured; trailing NaN for a clip that is shorter. Features are an array, a dict of arrays, or
an object with a method ``rows(rows)``: `take` picks rows of any of these.

The three kinds of a peer that has no way of its own to use a support:

support
    Fitted to the support alone; no answer without one.
population
    Fitted to the population and never adapted: it cannot answer with new classes.
pooled
    Fitted to both for each episode; a support clip counts as much as 50 of the population.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

__all__ = ["PEERS", "Peer", "make_peer", "take"]


@runtime_checkable
class Peer(Protocol):
    """What the benchmarks ask of a classifier.

    Attributes
    ----------
    name : str
        As in `PEERS`.
    zero_shot : bool
        Whether it answers without a support.
    new_classes : bool
        Whether it answers with classes that the population lacks.
    needs_order : bool
        Whether rows must be in the order of recording.
    """

    name: str
    zero_shot: bool
    new_classes: bool
    needs_order: bool

    def fit(
        self, signals: dict[str, np.ndarray], labels: np.ndarray, people: np.ndarray | None
    ) -> Peer:
        """Learn from the population."""

    def features(self, signals: dict[str, np.ndarray]) -> Any:
        """Whatever is computed once for each clip."""

    def answer(self, support: Any, support_labels: np.ndarray | None, query: Any) -> np.ndarray:
        """Labels of the query, among those of the support; None: the population's answer."""


def take(features: Any, rows: np.ndarray) -> Any:
    """Rows of what a peer's `features` gave."""
    if isinstance(features, dict):
        return {name: part[rows] for name, part in features.items()}
    return features.rows(rows) if hasattr(features, "rows") else features[rows]


class _Made(NamedTuple):
    module: str
    of: str  # the class
    kind: str | None = None


# Modules are imported when their peer is made: only the rockets need aeon.
PEERS = {
    "stf2m": _Made("stf2m", "STF2M"),
    **{
        f"minirocket-{k}": _Made("minirocket", "MiniRocketRidge", k)
        for k in ("pooled", "support", "population")
    },
    **{
        f"multirocket-hydra-{k}": _Made("multirocket_hydra", "MultiRocketHydraRidge", k)
        for k in ("pooled", "support", "population")
    },
    **{
        f"forest-{k}": _Made("random_forest", "Forest", k)
        for k in ("pooled", "support", "population")
    },
    **{
        f"logistic-{k}": _Made("logistic_regression", "Logistic", k)
        for k in ("pooled", "support", "population")
    },
    "prototype": _Made("prototype", "PrototypeNetwork"),
    "maml": _Made("maml", "MAML"),
    "eegnet": _Made("eegnet", "EEGNetPeer"),
    "frozen-encoder": _Made("frozen_encoder", "FrozenEncoder"),
    "nearest-time": _Made("controls", "NearestTime"),
    "majority": _Made("controls", "Majority"),
}
CONTROLS = ("nearest-time", "majority")


def make_peer(name: str, *, seed: int, **params: Any) -> Peer:
    """A peer by its name in `PEERS`; `params` are those of its class."""
    made = PEERS[name]
    kind = {} if made.kind is None else {"kind": made.kind}
    peer = getattr(import_module(f"peers.{made.module}"), made.of)(seed=seed, **kind, **params)
    peer.name = name
    return peer
