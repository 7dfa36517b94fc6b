"""What scikit-learn's tools refuse: the table in docs/scikit-learn.md, row by row."""

from pathlib import Path

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_selection import RFE
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.model_selection import GroupKFold, cross_val_score, cross_validate
from sklearn.multiclass import OneVsOneClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.utils import Bunch

from stf2m_sk import PersonalisedClassifier, Views
from stf2m_sk.preprocessing import ViewScaler

DOCS = Path(__file__).parents[1] / "docs" / "scikit-learn.md"
SCHEMA = {
    "skin": {"n_channels": 1, "n_timesteps": 6},
    "heart": {"n_channels": 2, "n_timesteps": 6},
}


def rows():
    """Tool, what it was given, and the error, from the docs."""
    text = DOCS.read_text(encoding="utf-8").split("## What is refused", 1)[1]
    lines = [line for line in text.split("\n## ")[0].splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {(tool, given): error.strip("`") for tool, given, error, _ in cells}


ROWS = rows()


@pytest.fixture(scope="module")
def data(quick):
    """Clips in all forms, and a classifier that starts from a population."""
    generator = np.random.default_rng(8)
    y = np.tile([0, 1, 2], 8)
    X = generator.normal(size=(24, 3, 6))
    X[:, 2] += y[:, None]
    people = np.repeat(["ann", "bob", "cyd", "dee"], 6)
    parts = {"skin": X[:, :1], "heart": X[:, 1:]}
    population = quick(schema=SCHEMA).fit(X, y)
    return Bunch(
        X=X,
        y=y,
        people=people,
        views=Views(parts),
        parts=parts,
        flat=X.reshape(24, -1),
        population=population,
        model=PersonalisedClassifier(population),
        quick=quick,
    )


def on_text(data):
    """A vote of classifiers whose population was labelled with text."""
    words = np.array(["anger", "calm", "joy"])[data.y]
    population = data.quick(schema=SCHEMA).fit(data.X, words)
    member = PersonalisedClassifier(population)
    return VotingClassifier([("a", member)]).fit(data.X, words)


def with_routing(do):
    def routed(data):
        with sklearn.config_context(enable_metadata_routing=True):
            return do(data)

    return routed


def person_scaler():
    return ViewScaler(scope="person").set_fit_request(groups=True)


@with_routing
def with_the_default_scorer(data):
    scaler = person_scaler().set_transform_request(groups=True)
    return cross_validate(
        make_pipeline(scaler, data.quick().set_fit_request(groups=True)),
        data.views,
        data.y,
        cv=GroupKFold(2),
        params={"groups": data.people},
        error_score="raise",
    )


@with_routing
def with_groups_at_fit_alone(data):
    scaler = person_scaler().set_transform_request(groups=False)
    make_pipeline(scaler, data.quick()).fit(data.views, data.y, groups=data.people)


@with_routing
def with_unasked_groups(data):
    make_pipeline(ViewScaler(), data.quick()).fit(data.views, data.y, groups=data.people)


def stacked(d):
    StackingClassifier([("a", d.model)], passthrough=True, cv=2).fit(d.X, d.y)


def columns(X, d):
    ColumnTransformer([("skin", "passthrough", slice(0, 6))]).fit(X, d.y)


THREE_D, FLAT = "3-D array", "flat form with `schema`"
TRIALS = {
    ("`cross_val_score`", "dict"): lambda d: cross_val_score(d.model, d.parts, d.y),
    ("`cross_val_score`", "list of modalities"): lambda d: cross_val_score(
        d.model, list(d.parts.values()), d.y
    ),
    ("`OneVsOneClassifier`", THREE_D): lambda d: OneVsOneClassifier(d.model).fit(d.X, d.y),
    ("`BaggingClassifier`", THREE_D): lambda d: BaggingClassifier(d.model).fit(d.X, d.y),
    ("`SelfTrainingClassifier`", THREE_D): lambda d: SelfTrainingClassifier(d.model).fit(d.X, d.y),
    ("`permutation_importance`", THREE_D): lambda d: permutation_importance(d.population, d.X, d.y),
    ("`StackingClassifier(passthrough=True)`", THREE_D): stacked,
    ("`StandardScaler`", THREE_D): lambda d: StandardScaler().fit(d.X),
    ("`FeatureUnion`", THREE_D): lambda d: FeatureUnion([("a", ViewScaler())]).fit_transform(d.X),
    ("`ColumnTransformer`", THREE_D): lambda d: columns(d.X, d),
    ("`ColumnTransformer`", "Views"): lambda d: columns(d.views, d),
    ("`partial_dependence`", "Views"): lambda d: partial_dependence(d.population, d.views, [0]),
    ("`RFE`", THREE_D): lambda d: RFE(d.quick()).fit(d.X, d.y),
    ("`RFE`", "no `importance_getter`"): lambda d: RFE(d.quick()).fit(d.flat, d.y),
    ("`BaggingClassifier(max_features=0.5)`", FLAT): lambda d: BaggingClassifier(
        d.model, max_features=0.5
    ).fit(d.flat, d.y),
    ("`ClassifierChain`", FLAT): lambda d: ClassifierChain(d.model).fit(
        d.flat, np.column_stack([d.y, d.y])
    ),
    ("`AdaBoostClassifier`", "anything"): lambda d: AdaBoostClassifier(d.model).fit(d.flat, d.y),
    ("`SelfTrainingClassifier`", "labels as text"): lambda d: SelfTrainingClassifier(d.quick()).fit(
        d.flat, d.y.astype(str)
    ),
    ("`VotingClassifier`", "text labels, no `label_names`"): on_text,
    ("`Pipeline` with routing", "nobody asked for groups"): with_unasked_groups,
    (
        "`ViewScaler` with routing",
        "groups asked for at fit alone",
    ): with_groups_at_fit_alone,
    (
        '`cross_validate` over people, `scope="person"`',
        "the default scorer",
    ): with_the_default_scorer,
}


def test_every_row_is_tried():
    assert len(TRIALS) > 20
    assert set(ROWS) == set(TRIALS)


@pytest.mark.parametrize("row", TRIALS, ids=" ".join)
@pytest.mark.filterwarnings("ignore")
def test_the_error_is_the_one_in_the_docs(data, row):
    kind, words = ROWS[row].split(": ", 1)
    with pytest.raises(Exception) as raised:
        TRIALS[row](data)
    assert type(raised.value).__name__ == kind
    assert words in str(raised.value)


class TestWhatRaisesNothing:
    def test_views_without_a_schema_become_features_where_a_tool_wants_a_table(self, data):
        def answer(**parameters):
            model = OneVsOneClassifier(data.quick(**parameters)).fit(data.views, data.y)
            return model.estimators_[0].schema_.names

        assert answer() == ("features",)
        assert answer(schema=SCHEMA) == ("skin", "heart")

    def test_multi_output_in_place_of_a_chain(self, data):
        y = np.column_stack([data.y, data.y[::-1]])
        found = MultiOutputClassifier(data.model).fit(data.flat, y).predict_proba(data.flat)
        for column, answer in zip(y.T, found, strict=True):
            by_hand = PersonalisedClassifier(data.population).fit(data.views, column)
            assert_allclose(answer, by_hand.predict_proba(data.views), rtol=0, atol=1e-12)
