"""The benchmarks' variants, peers and tables; small, since real figures take hours."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from stf2m_sk import STF2MClassifier
from stf2m_sk.datasets import make_emotion_views
from stf2m_sk.views import Views

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
pytestmark = pytest.mark.skipif(not BENCHMARKS.is_dir(), reason="no benchmarks/ beside the tests")

MODULES = ("_cells", "_report", "_run", "_variants", "ablation", "peers")
SMALL = {"n_networks": 0, "n_kernels": 12, "n_patterns": 16}
NETWORKS = SMALL | {"n_networks": 2, "max_epochs": 1, "hidden_dim": 4}


@pytest.fixture(scope="module")
def benchmarks():
    sys.path.insert(0, str(BENCHMARKS))
    yield
    sys.path.remove(str(BENCHMARKS))
    for name in [name for name in sys.modules if name.split(".")[0] in MODULES]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def recording(benchmarks):
    from _cells import Recording

    data = make_emotion_views(n_people=5, n_emotions=4, n_clips_per_emotion=4, random_state=0)
    arrays = data.views.to_dict()
    views = Views({name: arrays[name] for name in list(arrays)[:2]})
    return Recording(views, data.target.astype(str), data.groups)


@pytest.fixture(scope="module")
def variants(recording):
    import _variants

    made = {}
    for name in _variants.VARIANTS:
        if name in ("no learned numbers", "random prototypes"):  # fields of the plan alone
            continue
        variant = _variants.VariantClassifier(name, params=NETWORKS)
        made[name] = variant.fit(recording.views, recording.y, recording.groups).classifier_
    return made


def kinds(classifier):
    """Blocks with a weight."""
    module = classifier.model_.module
    weights = module.scaler.weights.tolist()
    return {b.kind for b, weight in zip(module.blocks, weights, strict=True) if weight > 0}


def test_the_whole_is_the_classifier_itself(recording):
    from _variants import VariantClassifier

    rows = recording.views, recording.y, recording.groups
    own = VariantClassifier(params=SMALL, random_state=3).fit(*rows)
    plain = STF2MClassifier(**SMALL, random_state=3).fit(*rows[:2], groups=rows[2])
    assert np.array_equal(own.predict_proba(rows[0]), plain.predict_proba(rows[0]))


def test_a_variant_lacks_its_part_only(variants):
    everything = {"course", "level", "pattern", "network"}
    assert kinds(variants["whole"]) == everything
    assert kinds(variants["no pattern rules"]) == everything - {"pattern"}
    assert kinds(variants["no ramp rules"]) == {"pattern", "network"}
    assert kinds(variants["no networks"]) == everything - {"network"}
    assert kinds(variants["networks alone"]) == {"network"}


def test_variants_change_what_they_name(variants):
    from _variants import HardPatternRules

    module = variants["no spatial mixing"].model_.module
    assert all(((rules.mixtures != 0).sum(1) <= 1).all() for rules in module.ramps)
    assert variants["no temporal taps"].model_.module.ramps[0].taps.shape[1] == 1
    numbers = variants["no person effects"].model_.numbers
    assert numbers.person_variance < 1e-4 and numbers.shift_clips > 1e9
    hard = variants["hard memberships"].model_.module.patterns
    assert all(type(rules) is HardPatternRules for rules in hard)
    signal, frames = torch.randn(1, hard[0].mixtures.shape[2], 1), torch.ones(1, 1)
    assert set(hard[0](signal, frames).flatten().tolist()) == {0.0, 1.0}


def test_all_variants_of_a_fold_have_the_same_networks(variants):
    first = variants["whole"].model_.module.ensemble
    for name in ("no pattern rules", "no person effects", "networks alone"):
        assert variants[name].model_.module.ensemble is first


def test_nothing_is_changed_after_a_fit(variants):
    from stf2m_sk import classifier
    from stf2m_sk.nn import module, patterns
    from stf2m_sk.training import meta_train, numbers

    assert classifier.meta_train is meta_train.meta_train
    assert meta_train.learn_numbers is numbers.learn_numbers
    assert numbers.START.person_variance == 0.5
    assert module.PatternRules is patterns.PatternRules


def test_entries_are_scored_without_and_with_unlabelled_clips(recording):
    from _cells import Entry, folds, score_fold

    entry = Entry(STF2MClassifier(**SMALL), (False, True), calibration=True)
    fold = folds(recording, "new-person", 0)[0]
    assert not set(recording.groups[fold[0]]) & set(recording.groups[fold[1]])
    asked = {"shots": (0, 1), "draws": 1, "seed": 0}
    scored = list(score_fold(entry, recording, "new-person", fold, **asked))
    for mode in (False, True):
        own = [row for m, row in scored if m is mode and row["metric"] == "balanced_accuracy"]
        assert {row["shots"] for row in own} == {0, 1}
        clips = [row for m, row in scored if m is mode and row["metric"] == "calibration_clips"]
        assert all(row["value"] > 0 for row in clips) and len(clips) == 2


def test_new_classes_are_not_in_the_population(recording):
    from _cells import folds

    for people in (None, recording.groups):
        one = recording._replace(groups=people)
        for train, test in folds(one, "new-class", 0):
            assert not set(one.y[train]) & set(one.y[test])


@pytest.mark.parametrize("name", ["rocket-pooled", "rocket-centred", "rules-bayes", "rules-lda",
                                  "rules-prototypes",
                                  "rocket-bayes", "logistic", "majority"])  # fmt: skip
def test_peers_predict_new_people_and_new_classes(recording, name):
    pytest.importorskip("aeon")
    from _cells import folds, score_fold
    from peers import entries_of

    small = {"rulefeatures__n_kernels": 12, "rulefeatures__n_patterns": 16}
    for protocol, shots in (("new-person", (0, 1)), ("new-class", (1,))):
        entries = entries_of([name], recording, protocol)
        if name not in entries:
            continue
        if name.startswith("rules"):
            entries[name].estimator.set_params(**small)
        fold = folds(recording, protocol, 0)[0]
        asked = {"shots": shots, "draws": 1, "seed": 0}
        rows = [row for _, row in score_fold(entries[name], recording, protocol, fold, **asked)]
        scores = [row for row in rows if row["metric"] == "balanced_accuracy"]
        assert {row["shots"] for row in scores} == set(shots)
        assert all(0 <= row["value"] <= 1 for row in scores)


def people_with_prototypes(seed, between):
    """Two classes in 3-D; each person's class means differ with this deviation."""
    rng = np.random.default_rng(seed)
    people, y = np.repeat(np.arange(40), 8), np.tile(np.repeat(["a", "b"], 4), 40)
    own = rng.normal(0, between, (40, 2, 3))
    centre = np.array([[-1.0, 0, 0], [1.0, 0, 0]])
    code = (y == "b").astype(int)
    return centre[code] + own[people, code] + rng.normal(size=(320, 3)), y, people


@pytest.mark.parametrize("between", [0.3, 1.0, 3.0])
def test_bayesian_prototypes_learn_how_much_people_differ(benchmarks, between):
    pytest.importorskip("aeon")
    from peers.bayesian_prototypes import BayesianPrototypes

    model = BayesianPrototypes().fit(*people_with_prototypes(0, between))
    assert model.variance_.mean() == pytest.approx(between**2, rel=0.35)


def test_bayesian_prototypes_go_from_population_to_support(benchmarks):
    pytest.importorskip("aeon")
    from peers.bayesian_prototypes import BayesianPrototypes

    X, y, people = people_with_prototypes(0, 1.0)
    model = BayesianPrototypes().fit(X, y, people)
    own = np.tile([[5.0, 5.0, 5.0]], (400, 1))
    few, many = (model.adapt(own[:n], np.full(n, "a")) for n in (1, 400))
    target = own[0] @ model.directions_
    apart = [np.linalg.norm(m.means_[0] - target) for m in (model, few, many)]
    assert apart[0] > apart[1] > apart[2] and apart[2] < 0.1
    assert np.array_equal(few.means_[1], model.means_[1])  # no clip of it
    new = model.adapt(own[:2], np.full(2, "new"))
    assert new.classes_.tolist() == ["a", "b", "new"] and new.predict(own[:1]) == ["new"]


def test_the_ridge_with_its_gram_matrix_is_the_ridge(benchmarks):
    pytest.importorskip("aeon")
    from peers.ridge import GramRidge
    from sklearn.linear_model import Ridge

    X, y, _ = people_with_prototypes(1, 1.0)
    support = X[:6] + 1, y[:6]
    ridge = GramRidge().fit(X, y).adapt(*support, classes=["a", "b"])
    weights = np.repeat([1.0, 50.0], [len(X), 6])
    both = np.concatenate([X, support[0]]), 2.0 * (np.concatenate([y, support[1]]) == "b") - 1
    plain = Ridge(alpha=X.shape[1], fit_intercept=False)
    offset = np.average(both[1], weights=weights)
    plain.fit(both[0], both[1] - offset, sample_weight=weights)
    assert np.allclose(ridge.decision_function(X), 2 * (plain.predict(X) + offset))


def test_a_table_goes_on_where_it_was(benchmarks, tmp_path):
    from _report import Mean, Table, paired, unit_means

    columns = ("model", "unit", "value")
    table = Table(tmp_path / "a.csv", columns)
    table.append({"model": m, "unit": u, "value": v} for m, u, v in
                 [("one", 1, 0.5), ("one", 2, 0.7), ("two", 1, 0.4), ("two", 2, 0.4)])  # fmt: skip
    again = Table(tmp_path / "a.csv", columns)
    assert again.rows == table.rows and again.has(model="two", unit=2)
    means = unit_means(again.rows, "model")
    assert paired(means["one",], means["two",]).mean == pytest.approx(0.2)
    again.drop(model="two")
    assert not Table(tmp_path / "a.csv", columns).has(model="two")
    low, high = Mean.of([0.5, 0.6, 0.7])[1:3]
    assert (round(low, 3), round(high, 3)) == (0.352, 0.848)
