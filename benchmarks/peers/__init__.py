"""Classifiers to compare with: scikit-learn estimators that take Views.

All have `adapt`, or end with a step that has: some fit anew to population and support, of which a
clip counts as 50 (`stf2m_sk.PooledClassifier`).
"""

from typing import Any

from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from peers.bayesian_prototypes import BayesianPrototypes
from peers.features import Components, RocketFeatures, rule_features, table_features
from peers.ridge import GramRidge
from stf2m_sk import PooledClassifier, STF2MClassifier
from stf2m_sk.model_selection import MajorityControl, NearestInTimeControl

__all__ = ["CONTROLS", "OURS", "PEERS", "predicting"]


def _reduced(features: Any, classifier: Any) -> Pipeline:
    return make_pipeline(features, Components(), classifier)


def _of_table(classifier: Any) -> Pipeline:
    return make_pipeline(table_features(), PooledClassifier(classifier))


_LDA = PooledClassifier(LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"))
OURS = {
    "stf2m": STF2MClassifier(),
    "stf2m+unlabelled": STF2MClassifier(),
    "stf2m-rules": STF2MClassifier(n_networks=0),
    "stf2m-rules+unlabelled": STF2MClassifier(n_networks=0),
}
CONTROLS = {"nearest-time": NearestInTimeControl(), "majority": MajorityControl()}
PEERS = {
    **OURS,
    "rocket-pooled": make_pipeline(RocketFeatures(), GramRidge()),
    "rocket-centred+unlabelled": make_pipeline(RocketFeatures(), GramRidge(centred=True)),
    "rocket-bayes": _reduced(RocketFeatures(), BayesianPrototypes()),
    "rocket-lda": _reduced(RocketFeatures(), _LDA),
    "rules-bayes": _reduced(rule_features(), BayesianPrototypes()),
    "rules-lda": _reduced(rule_features(), _LDA),
    "rocket-prototypes": _reduced(RocketFeatures(), BayesianPrototypes(prior=False)),
    "rules-prototypes": _reduced(rule_features(), BayesianPrototypes(prior=False)),
    "forest": _of_table(RandomForestClassifier(200, class_weight="balanced")),
    "logistic": _of_table(LogisticRegression(max_iter=300)),
    **CONTROLS,
}


def predicting(kind: str, *, has_people: bool, has_contexts: bool) -> dict[str, Any]:
    """The peers that have predictions in a kind of cell (see `_protocols`), by name.

    With contexts the order of the clips counts for nothing.
    """
    found = dict(PEERS)
    if not has_people or has_contexts or kind == "plain":
        del found["nearest-time"]
    if not has_people or kind in ("plain", "new-class"):
        found = {name: found[name] for name in found if not name.endswith("+unlabelled")}
    if kind == "new-class":
        del found["majority"]
    return found
