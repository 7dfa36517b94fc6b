"""Laws of the benchmarks' protocols: nothing that is tested was seen before."""

import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
pytestmark = pytest.mark.skipif(not BENCHMARKS.is_dir(), reason="no benchmarks/ beside the tests")

EMOTIONS = np.array([f"emotion {i}" for i in range(10)])
N_PEOPLE, N_EACH = 10, 8


@pytest.fixture
def protocols(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield pytest.importorskip("protocols")
    sys.modules.pop("protocols")


@pytest.fixture(params=["in order", "with statements", "without people"])
def recording(request, protocols, tmp_path):
    person, emotion, nth = np.indices((N_PEOPLE, len(EMOTIONS), N_EACH)).reshape(3, -1)
    n_clips = len(person)
    arrays = {
        "face": np.random.default_rng(0).normal(size=(n_clips, 2, 6)).astype(np.float16),
        "y": EMOTIONS[emotion],
        "length": np.full(n_clips, 4),
        "intensity": np.where(nth % 2, "weak", "strong"),
        "split": np.where(nth < 4, "train", "test"),
    }
    if request.param != "without people":
        arrays["groups"] = person
    if request.param == "with statements":
        arrays["statement"] = nth % 4
    np.savez(tmp_path / "clips.npz", **arrays)
    return protocols.read_recording(tmp_path / "clips.npz")


def tasks(protocols, recording, names):
    for name in names:
        if recording.people is None and name != "new-class":
            continue
        for split in protocols.SPLITS:
            for seed in (0, 1):
                yield protocols.make_task(recording, name, seed=seed, draws=6, split=split)


def test_past_a_clips_end_nothing_is_measured(recording):
    signal = recording.signals["face"]
    assert signal.dtype == np.float32
    assert np.isnan(signal[:, :, 4:]).all() and not np.isnan(signal[:, :, :4]).any()


def test_support_and_query_share_no_clip_and_no_statement(protocols, recording):
    for task in tasks(protocols, recording, ["new-person", "new-class"]):
        assert task.episodes
        for one in task.episodes:
            assert not set(one.support) & set(one.query)
            assert not set(task.train) & {*one.support, *one.query}
            if recording.context is not None:
                assert not set(recording.context[one.support]) & set(recording.context[one.query])


def test_support_holds_each_class_of_the_query_at_most_shots_times(protocols, recording):
    for task in tasks(protocols, recording, ["new-person", "new-class"]):
        for one in task.episodes:
            labels, counts = np.unique(recording.labels[one.support], return_counts=True)
            assert (counts <= one.shots).all()
            if one.shots:
                assert set(labels) == set(recording.labels[one.query])


def test_an_episode_is_of_one_person_who_is_not_trained_on(protocols, recording):
    if recording.people is None:
        pytest.skip("nobody is known")
    for task in tasks(protocols, recording, ["new-person", "new-class"]):
        trained = set(recording.people[task.train])
        for one in task.episodes:
            people = set(recording.people[[*one.support, *one.query]])
            assert people == {int(one.unit)} and not people & trained


def test_new_classes_are_not_trained_on(protocols, recording):
    for task in tasks(protocols, recording, ["new-class"]):
        trained = set(recording.labels[task.train])
        for one in task.episodes:
            assert one.shots > 0
            assert not set(recording.labels[[*one.support, *one.query]]) & trained


def test_dev_sees_nothing_of_what_test_tests(protocols, recording):
    names = ["new-class"] if recording.people is None else ["new-person", "new-class"]
    for name in names:
        test, dev = (
            protocols.make_task(recording, name, seed=0, draws=6, split=split)
            for split in ("test", "dev")
        )
        asked = np.concatenate([[*one.support, *one.query] for one in dev.episodes]).astype(int)
        if name == "new-class":
            asked = np.concatenate([asked, dev.train])
            sealed = protocols.tested_and_sealed(recording.labels, "test")[1]
            assert not set(recording.labels[asked]) & set(sealed)
        if recording.people is not None:
            tested = {one.unit for one in test.episodes}
            assert not {str(person) for person in recording.people[asked]} & tested


def test_draws_follow_the_seed_and_people_do_not(protocols, recording):
    if recording.people is None:
        pytest.skip("nobody is known")
    one, same, other = (
        protocols.make_task(recording, "new-person", seed=seed) for seed in (0, 0, 1)
    )
    pairs = list(zip(one.episodes, same.episodes, strict=True))
    assert all(np.array_equal(a.support, b.support) for a, b in pairs)
    pairs = list(zip(one.episodes, other.episodes, strict=True))
    assert any(not np.array_equal(a.support, b.support) for a, b in pairs)
    assert [a.unit for a, _ in pairs] == [b.unit for _, b in pairs]
    assert np.array_equal(one.train, other.train)


def test_plain_keeps_the_archives_split(protocols, recording):
    task = protocols.make_task(recording, "plain", seed=0)
    (one,) = task.episodes
    assert one.shots == 0 and not len(one.support)
    assert set(recording.meta["split"][task.train]) == {"train"}
    assert set(recording.meta["split"][one.query]) == {"test"}
    assert len(task.train) + len(one.query) == len(recording.labels)
