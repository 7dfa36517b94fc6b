"""Classifiers to compare with, as scikit-learn estimators that take Views.

Those with `adapt` are fitted once on the population; the others are fitted anew for each episode
to population and support, of which a clip counts as 50 (``few_shot_score(refit="pooled")``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from _cells import Entry, Recording
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from peers.bayesian_prototypes import BayesianPrototypes
from peers.features import Components, RocketFeatures, RuleFeatures, table_features
from peers.ridge import GramRidge
from stf2m_sk import STF2MClassifier
from stf2m_sk.model_selection import MajorityControl, NearestInTimeControl

__all__ = ["CONTROLS", "OURS", "PEERS", "entries_of"]


def _reduced(features: Any, classifier: Any) -> Pipeline:
    return make_pipeline(features, Components(), classifier)


def _lda() -> LinearDiscriminantAnalysis:
    return LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")


OURS = {
    "stf2m": lambda: Entry(STF2MClassifier(), (False, True), calibration=True),
    "stf2m-rules": lambda: Entry(STF2MClassifier(n_networks=0), (False, True), calibration=True),
}
CONTROLS = ("nearest-time", "majority")
PEERS: dict[str, Callable[[], Entry]] = OURS | {
    "rocket-pooled": lambda: Entry(make_pipeline(RocketFeatures(), GramRidge())),
    "rocket-centred": lambda: Entry(
        make_pipeline(RocketFeatures(), GramRidge(centred=True)), (True,)
    ),
    "rocket-bayes": lambda: Entry(_reduced(RocketFeatures(), BayesianPrototypes())),
    "rocket-lda": lambda: Entry(_reduced(RocketFeatures(), _lda())),
    "rules-bayes": lambda: Entry(_reduced(RuleFeatures(), BayesianPrototypes())),
    "rules-lda": lambda: Entry(_reduced(RuleFeatures(), _lda())),
    "rocket-prototypes": lambda: Entry(_reduced(RocketFeatures(), BayesianPrototypes(prior=False))),
    "rules-prototypes": lambda: Entry(_reduced(RuleFeatures(), BayesianPrototypes(prior=False))),
    "forest": lambda: Entry(
        make_pipeline(table_features(), RandomForestClassifier(200, class_weight="balanced"))
    ),
    "logistic": lambda: Entry(make_pipeline(table_features(), LogisticRegression(max_iter=300))),
    "nearest-time": lambda: Entry(NearestInTimeControl()),
    "majority": lambda: Entry(MajorityControl()),
}


def entries_of(names: list[str], recording: Recording, protocol: str) -> dict[str, Entry]:
    """The peers that have predictions in a cell.

    Parameters
    ----------
    names : list of str
        Of `PEERS`.
    recording : Recording
        Of the cell.
    protocol : str
        Of the cell.
    """
    made = {name: PEERS[name]() for name in names}
    in_order = recording.groups is not None and recording.contexts is None
    if not in_order or protocol == "plain":
        made.pop("nearest-time", None)
    if recording.groups is None or protocol in ("plain", "new-class"):
        made.pop("rocket-centred", None)
        made = {name: entry._replace(unlabelled=(False,)) for name, entry in made.items()}
    if protocol == "new-class":
        made.pop("majority", None)
    return made
