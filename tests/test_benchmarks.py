"""The benchmarks' variants, peers, protocols and tables; small, since real figures take hours."""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone

from stf2m_sk import STF2MClassifier
from stf2m_sk.datasets import make_emotion_views
from stf2m_sk.metrics import expected_calibration_error
from stf2m_sk.model_selection import MajorityControl, few_shot_score
from stf2m_sk.views import Views

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
pytestmark = pytest.mark.skipif(not BENCHMARKS.is_dir(), reason="no benchmarks/ beside the tests")

MODULES = ("_figures", "_protocols", "_report", "_variants", "ablation", "accuracy", "peers",
           "missing_modalities")  # fmt: skip
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
    from _protocols import Recording

    data = make_emotion_views(n_people=5, n_emotions=4, n_clips_per_emotion=4, random_state=0)
    arrays = data.views.to_dict()
    views = Views({name: arrays[name] for name in list(arrays)[:2]})
    return Recording(views, data.target.astype(str), data.groups)


@pytest.fixture
def options(tmp_path):
    return argparse.Namespace(
        seeds=2, draws=1, folds=2, again=False, out=tmp_path, name="parts",
        report_only=False,
    )  # fmt: skip


# ---- variants ----


@pytest.fixture(scope="module")
def variants(recording):
    import _variants

    made = {}
    for name in _variants.VARIANTS:
        if name in ("no learned numbers", "random prototypes"):  # fields of the plan alone
            continue
        with _variants.variant(name):
            classifier = STF2MClassifier(**NETWORKS, random_state=0)
            made[name] = classifier.fit(*recording[:2], groups=recording.groups)
    return made


def kinds(classifier):
    """Blocks with a weight."""
    module = classifier.model_.module
    weights = module.scaler.weights.tolist()
    return {b.kind for b, weight in zip(module.blocks, weights, strict=True) if weight > 0}


def test_the_whole_is_the_classifier_itself(recording):
    from _variants import variant

    views, y, groups, *_ = recording
    plain = STF2MClassifier(**SMALL, random_state=3).fit(views, y, groups=groups)
    with variant("whole"):
        own = STF2MClassifier(**SMALL, random_state=3).fit(views, y, groups=groups)
    assert np.array_equal(own.predict_proba(views), plain.predict_proba(views))


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


# ---- protocols ----


def test_each_person_is_new_once(recording):
    from _protocols import folds

    tested = []
    for train, test in folds(recording, "new-person", 0):
        assert not set(recording.groups[train]) & set(recording.groups[test])
        tested += np.unique(recording.groups[test]).tolist()
    assert sorted(tested) == np.unique(recording.groups).tolist()


def test_new_classes_are_not_in_the_population(recording):
    from _protocols import folds

    for people in (None, recording.groups):
        one = recording._replace(groups=people)
        for train, test in folds(one, "new-class", 0):
            assert not set(one.y[train]) & set(one.y[test])


@pytest.mark.parametrize("name", ["rocket-pooled", "rocket-centred+unlabelled", "rules-bayes",
                                  "rules-lda", "rules-prototypes", "rocket-bayes", "logistic",
                                  "nearest-time", "majority"])  # fmt: skip
def test_peers_predict_new_people_and_new_classes(recording, options, name):
    pytest.importorskip("aeon")
    from _protocols import compare, tidy
    from peers import predicting

    for kind in ("new-person", "new-class"):
        model = predicting(kind, has_people=True, has_contexts=False).get(name)
        if model is None:
            assert kind == "new-class" and name in ("rocket-centred+unlabelled", "majority")
            continue
        if name.startswith("rules"):
            small = {f"spatiotemporalencoder__classifier__{key}": SMALL[key] for key in SMALL}
            model = clone(model).set_params(**small)
        rows = tidy(compare({name: model}, recording, kind, options, "peers"))
        scores = rows[rows["metric"] == "balanced_accuracy"]
        assert set(scores["shots"]) == ({0, 1, 2, 4} if kind == "new-person" else {1, 4})
        assert scores["value"].between(0, 1).all() and set(scores["unit"]) <= set(recording.groups)


def test_without_people_a_seed_is_a_unit(recording, options):
    from _protocols import compare, tidy

    alone = recording._replace(groups=None)
    rows = tidy(compare({"majority": MajorityControl()}, alone, "new-class", options, "seeds"))
    scores = rows[rows["metric"] == "balanced_accuracy"]
    assert set(scores["unit"]) == {"seed 0", "seed 1"}
    assert set(rows["metric"]) == {"balanced_accuracy", "fit_seconds"}


def test_calibration_is_that_of_all_queries_together(recording, options):
    pytest.importorskip("aeon")
    import accuracy
    from _protocols import compare, folds, protocol
    from peers import PEERS

    model, pooled, options.seeds = PEERS["logistic"], [], 1

    def noting(y_true, probabilities, classes):
        pooled.append((y_true, probabilities, classes))
        return 0.0

    scoring = {"balanced_accuracy": "balanced_accuracy"} | accuracy.GAPS
    rows = compare({"one": model}, recording, "new-person", options, "errors", scoring)
    found = accuracy.calibration(rows).set_index("shots")["value"]
    drawn = protocol(recording, "new-person", seed=0, draws=1, shots=2)
    few_shot_score(
        model.set_params(pooledclassifier__estimator__random_state=0), *recording[:2],
        groups=recording.groups, protocol=drawn, cv=folds(recording, "new-person", 0)[:2],
        scoring=noting,
    )  # fmt: skip
    y_true, probabilities, classes = zip(*pooled, strict=True)
    whole = np.concatenate(y_true), np.concatenate(probabilities)
    expected = expected_calibration_error(*whole, classes=classes[0])
    assert found[2] == pytest.approx(expected, abs=1e-9)


def test_an_archives_split_is_scored_for_each_seed(recording):
    from _protocols import plain

    split = recording._replace(is_train=np.arange(len(recording.y)) % 2 == 0)
    rows = plain({"majority": MajorityControl()}, split, 3)
    scores = rows[rows["metric"] == "balanced_accuracy"]
    assert scores["unit"].tolist() == ["seed 0", "seed 1", "seed 2"]
    assert np.allclose(scores["value"], 1 / 4)


def test_gaps_are_nested_and_leave_a_modality(recording, benchmarks):
    pytest.importorskip("aeon")
    from missing_modalities import with_gaps

    half, more = (
        np.stack(
            [np.isnan(a).all((1, 2)) for a in with_gaps(recording.views, s, 0).to_dict().values()]
        )
        for s in (0.25, 0.5)
    )
    assert half.mean() == pytest.approx(0.25, abs=0.02) and not (half & ~more).any()
    assert more.all(axis=0).sum() == 0


# ---- tables and reports ----


def test_an_ablation_from_start_to_report(recording, options, monkeypatch, capsys):
    import _protocols
    import ablation

    monkeypatch.setattr(_protocols, "read", lambda *_, **__: recording)
    options.params, options.variants = SMALL, ["whole", "no ramp rules"]
    options.sets, options.data = ["noneeg_stress"], options.out
    for _ in range(2):
        with pytest.raises(SystemExit) as end:
            _protocols.run("parts", ablation.CELLS, ablation.rows_of, ablation.report, options)
        assert end.value.code == 0
        monkeypatch.delattr(STF2MClassifier, "fit", raising=False)  # the second time all is read
    text = (options.out / "parts.md").read_text()
    assert "| no ramp rules | with unlabelled |" in text and "| no unlabelled clips |" in text
    assert (options.out / "parts.png").stat().st_size
    table = pd.read_csv(options.out / "parts.csv")
    means = (
        table[table["metric"] == "balanced_accuracy"].groupby(["model", "shots"])["value"].mean()
    )
    assert f"| noneeg_stress | whole | {means['whole', 0]:.3f}" in text
    assert not table.duplicated(["model", "shots", "unit", "metric"]).any()


def test_a_cell_that_fails_is_named(options, monkeypatch, capsys):
    import _protocols

    options.sets, options.data = ["*"], options.out

    def failing(*_):
        raise OSError("no such recording")

    monkeypatch.setattr(_protocols, "read", failing)
    rows = pd.DataFrame({"data": ["a"], "model": ["one"], "value": [1.0]})
    rows.to_csv(options.out / "some.csv", index=False)
    with pytest.raises(SystemExit) as end:
        _protocols.run("some", ("lost:new-person",), None, lambda table, _: ["# Some"], options)
    assert end.value.code == 1 and "lost:new-person failed" in capsys.readouterr().err


# ---- peers ----


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


def test_a_table_keeps_what_is_not_replaced(benchmarks, tmp_path):
    from _report import paired, unit_means, write_table

    rows = [{"model": m, "unit": u, "value": v} for m, u, v in
            [("one", 1, 0.5), ("one", 2, 0.6), ("one", 2, 0.8), ("two", 1, 0.4)]]  # fmt: skip
    table = write_table(tmp_path / "a.csv", rows)
    assert len(table) == 3 and table["value"].tolist() == [0.5, 0.7, 0.4]  # the mean of a unit
    two = [{"model": "two", "unit": u, "value": 0.4} for u in (1, 2)]
    table = write_table(tmp_path / "a.csv", two, ["model"])
    assert table["model"].tolist() == ["one", "one", "two", "two"]
    means = unit_means(table, "model")
    assert paired(means["one",], means["two",]).mean == pytest.approx(0.2)


def test_means_are_said_with_student_intervals(benchmarks):
    from _report import Mean

    assert Mean.of([0.5, 0.6, 0.7]).said() == "0.600 [0.352, 0.848]"
    assert Mean.of([0.5, 0.7]).said() == "0.600"
    assert Mean.of([0.1, 0.11, 0.12]).said("+").startswith("**+0.110 [+0.085")


def test_a_grid_has_a_column_for_each_last_key(benchmarks):
    from _report import grid

    found = {("one", "10"): 1, ("one", "2"): 2, ("two", "2"): 3}
    assert grid(["model"], found, str).splitlines() == [
        "| model | 2 shots | 10 shots |",
        "| --- | --- | --- |",
        "| one | 2 | 1 |",
        "| two | 3 |  |",
    ]
