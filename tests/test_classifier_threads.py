"""One classifier in many threads, and in forked processes."""

import os
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

pytestmark = pytest.mark.filterwarnings("ignore::stf2m_sk.doubt.UnlikeClipsWarning")

N_READERS = 4


@pytest.fixture
def switching():
    """Threads take turns far more often than usual."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def steps_of(fitted, people):
    """What another thread will call one by one: each adds clips and an emotion."""
    for i in range(8):
        clips = people.new_views[i % 3 : i % 3 + 2]
        yield clips, [f"new {i}", people.new_target[0]], [f"new {i}"]


class TestReadersAndOneWriter:
    def test_each_answer_is_of_one_state(self, quick, people, switching):
        X = people.new_views
        classifier = quick().fit(people.views, people.target, groups=people.groups)
        twin = quick().fit(people.views, people.target, groups=people.groups)
        states = {}
        for clips, labels, classes in [(None, None, None), *steps_of(twin, people)]:
            if clips is not None:
                twin.partial_fit(clips, labels, classes)
            key = twin.predict_proba(X).tobytes()
            states[key] = tuple(twin.predict(X))
        adapted = twin.adapt(X[:4], people.new_target[:4]).predict_proba(X)
        done = threading.Event()

        def read(i):
            found = []
            while not done.is_set():
                found.append(
                    (
                        classifier.predict_proba(X).tobytes(),
                        tuple(classifier.predict(X)),
                        classifier.adapt(X[:4], people.new_target[:4]).predict_proba(X),
                    )
                )
            return found

        with ThreadPoolExecutor(N_READERS) as pool:
            reading = [pool.submit(read, i) for i in range(N_READERS)]
            for clips, labels, classes in steps_of(classifier, people):
                classifier.partial_fit(clips, labels, classes)
            done.set()
            answers = [answer for own in reading for answer in own.result()]
        assert len(answers) >= N_READERS
        assert {key for key, _, _ in answers} <= set(states)
        assert {labels for _, labels, _ in answers} <= set(states.values())
        for _, _, probabilities in answers:
            np.testing.assert_array_equal(probabilities, adapted)

    def test_labels_are_of_the_classifier_that_answered(self, fitted, people, monkeypatch):
        """`partial_fit` comes between the probabilities and their labels."""
        expected = fitted.predict(people.new_views)
        softmax = torch.softmax

        def late(*args, **kwargs):
            probabilities = softmax(*args, **kwargs)
            fitted.partial_fit(people.new_views[:1], ["a new one"], classes=["a new one"])
            return probabilities

        monkeypatch.setattr(torch, "softmax", late)
        assert fitted.predict(people.new_views).tolist() == expected.tolist()
        assert "a new one" in fitted.classes_

    def test_threads_of_torch_are_left_as_they_were(self, quick, people, switching):
        before = torch.get_num_threads()
        torch.set_num_threads(2)
        try:
            classifier = quick(n_threads=1).fit(people.views, people.target)
            with ThreadPoolExecutor(N_READERS) as pool:
                list(pool.map(classifier.predict, [people.new_views] * 40))
            found = []
            newcomer = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
            newcomer.start()
            newcomer.join()
            assert (torch.get_num_threads(), found) == (2, [2])
        finally:
            torch.set_num_threads(before)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("n_threads", [None, 2])
def test_a_fork_after_use_of_two_threads_answers(n_threads):
    """In a process of its own: torch is used with two threads, and then its fork predicts."""
    code = f"""
        import os, numpy as np, torch
        from stf2m_sk import STF2MClassifier
        torch.set_num_threads(2)
        X, y = np.random.default_rng(0).normal(size=(400, 2, 60)), np.tile(["calm", "tense"], 200)
        quick = dict(n_networks=0, n_kernels=8, n_patterns=8, random_state=0)
        classifier = STF2MClassifier(n_threads={n_threads}, **quick).fit(X[:40], y[:40])
        expected = classifier.predict_proba(X)
        torch.randn(2_000_000).exp().sum()  # surely in two threads
        if not os.fork():
            found = classifier.predict_proba(X)
            classifier.adapt(X[::2], y[::2]).partial_fit(X, y).predict(X)
            classifier.fit(X[:40], y[:40])
            os._exit(0 if abs(found - expected).max() < 1e-9 else 1)
        print(os.waitstatus_to_exitcode(os.wait()[1]))
    """
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"OMP_WAIT_POLICY": "PASSIVE"},  # no spinning where others compute
    )
    try:
        said, errors = process.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)  # the fork, too
        raise
    assert (said.strip(), errors) == ("0", "")
