"""Checkpoints: a stopped fit goes on to the same bytes; other fits are refused."""

import errno
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.utils import estimator_html_repr
from skorch.callbacks import Callback

import stf2m_sk
from stf2m_sk import CheckpointError, ModelFileError, STF2MClassifier
from stf2m_sk.model_selection import FewShotProtocol, few_shot_score
from stf2m_sk.training.checkpoint import open_checkpoint

NETWORKS = {"n_networks": 3, "hidden_dim": 4, "max_epochs": 2}
GROUPS = np.arange(24) % 4
SHARES = np.repeat([[0.9, 0.1], [0.2, 0.8]], 12, axis=0)
KILLED = """
import os, signal, sys
import numpy as np
from skorch.callbacks import Callback
from stf2m_sk import STF2MClassifier

class Halt(Callback):
    begun = 0
    def on_train_begin(self, net, **kwargs):
        Halt.begun += 1
        if Halt.begun == 3:
            os.kill(os.getpid(), signal.SIGKILL)

given = np.load(sys.argv[1])
STF2MClassifier(
    n_networks=3, hidden_dim=4, max_epochs=2, n_kernels=8, n_patterns=8, random_state=0,
    callbacks=[Halt()], checkpoint=sys.argv[2], n_threads=1,
).fit(given["X"], given["y"], groups=given["groups"])
"""


class Halt(Callback):
    """Counts the networks, and fails at the start of one of them."""

    at, begun = 0, 0

    def on_train_begin(self, net, **kwargs):
        Halt.begun += 1
        if Halt.begun == Halt.at:
            raise RuntimeError("halted")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "fit.checkpoint"


@pytest.fixture
def make(quick):
    return lambda **parameters: quick(
        **{"callbacks": [Halt()], "n_threads": 1, **NETWORKS} | parameters
    )


@pytest.fixture
def train(make, arrays):
    """A function that fits, and fails at the start of the given network; 0 for none."""

    def train(checkpoint, *, halt_at=0, X=arrays.X, y=arrays.y, groups=GROUPS, shares=None, **own):
        Halt.at, Halt.begun = halt_at, 0
        classifier = make(checkpoint=checkpoint, **own)
        if not halt_at:
            return classifier.fit(X, y, groups=groups, soft_labels=shares)
        with pytest.raises(RuntimeError, match="halted"):
            classifier.fit(X, y, groups=groups, soft_labels=shares)
        return classifier

    return train


@pytest.fixture(scope="module")
def whole(quick, arrays, tmp_path_factory):
    """The bytes of a fit that nothing stopped."""
    classifier = quick(callbacks=[Halt()], n_threads=1, **NETWORKS)
    Halt.at = 0
    classifier.fit(arrays.X, arrays.y, groups=GROUPS)
    file = tmp_path_factory.mktemp("whole") / "model"
    classifier.save(file)
    return file.read_bytes()


def bytes_of(classifier, folder):
    classifier.save(folder / "model")
    return (folder / "model").read_bytes()


class TestGoesOn:
    @pytest.mark.parametrize("halt_at", [1, 2, 3])
    def test_to_the_same_bytes(self, train, path, whole, halt_at):
        train(path, halt_at=halt_at)
        assert path.exists() == (halt_at > 1)
        fitted = train(path)
        assert Halt.begun == 4 - halt_at  # the others were in the checkpoint
        assert bytes_of(fitted, path.parent) == whole
        assert sorted(file.name for file in path.parent.iterdir()) == ["model"]

    def test_after_several_stops(self, train, path, whole):
        train(path, halt_at=2)
        train(path, halt_at=2)
        fitted = train(str(path))
        assert Halt.begun == 1
        assert bytes_of(fitted, path.parent) == whole

    def test_after_a_kill(self, arrays, train, path, whole):
        data = path.with_name("data.npz")
        np.savez(data, X=arrays.X, y=arrays.y, groups=GROUPS)
        folder = str(Path(stf2m_sk.__file__).parents[1])
        command = [sys.executable, "-c", KILLED, str(data), str(path)]
        killed = subprocess.run(command, env=os.environ | {"PYTHONPATH": folder}, check=False)
        assert killed.returncode == -signal.SIGKILL
        assert path.with_name(f".{path.name}.lock").exists()
        fitted = train(path)
        assert Halt.begun == 1
        assert bytes_of(fitted, path.parent) == whole

    def test_without_people(self, train, path, tmp_path):
        expected = bytes_of(train(None, groups=None), tmp_path)
        train(path, groups=None, halt_at=3)
        assert bytes_of(train(path, groups=None), tmp_path) == expected

    def test_with_a_generator_of_another_kind(self, train, path, tmp_path):
        def seeded():
            return np.random.RandomState(np.random.PCG64(3))

        expected = bytes_of(train(None, random_state=seeded()), tmp_path)
        train(path, random_state=seeded(), halt_at=3)
        assert bytes_of(train(path, random_state=seeded()), tmp_path) == expected
        assert Halt.begun == 1

    def test_without_a_stop_nothing_is_left(self, train, path, whole):
        assert bytes_of(train(path), path.parent) == whole
        assert not path.exists()

    def test_without_networks(self, quick, arrays, path):
        fitted = quick(checkpoint=path).fit(arrays.X, arrays.y)
        assert fitted.classes_.tolist() == ["calm", "tense"]
        assert list(path.parent.iterdir()) == []


class TestRefuses:
    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"max_epochs": 3}, r"max_epochs \(2 there, 3 now\)"),
            ({"hidden_dim": 5}, r"hidden_dim \(4 there, 5 now\)"),
            ({"n_networks": 2}, r"n_networks \(3 there, 2 now\)"),
            ({"n_networks": 0}, r"n_networks \(3 there, 0 now\)"),
            ({"learning_rate": 0.1, "n_kernels": 9}, "learning_rate .*, n_kernels "),
            ({"callbacks": []}, r"callbacks \(Halt there,  now\)"),
            ({"n_threads": 2}, r"threads \(1 there, 2 now\)"),
            ({"random_state": 1}, r"differs is random_state \(\w+ there, \w+ now\)\."),
            ({"groups": None}, r"differs is groups \("),
            ({"groups": GROUPS[::-1]}, r"differs is groups \("),
            ({"shares": SHARES}, r"differs is soft_labels \("),
            ({"y": np.repeat(["calm", "tense"], [11, 13])}, "differs is soft_labels .*, y "),
        ],
        ids=str,
    )
    def test_other_fits_and_says_what_differs(self, train, path, whole, changes, message):
        train(path, halt_at=3)
        before = path.read_bytes()
        with pytest.raises(CheckpointError, match=f"is of another fit: .*{message}"):
            train(path, **changes)
        assert path.read_bytes() == before
        assert bytes_of(train(path), path.parent) == whole

    def test_other_clips(self, arrays, train, path):
        train(path, halt_at=2)
        X = arrays.X.copy()
        X[3, 1, 5] += 1e-3
        with pytest.raises(CheckpointError, match=r"differs is X \("):
            train(path, X=X)

    def test_before_anything_is_trained_or_changed(self, train, make, path, refuses, arrays):
        train(path, halt_at=2)
        Halt.at, Halt.begun = 0, 0
        other = make(checkpoint=path, max_epochs=3)
        refuses(other, CheckpointError, "another fit", lambda: other.fit(arrays.X, arrays.y))
        assert Halt.begun == 0

    @pytest.mark.parametrize("content", [b"", b"a diary", None])
    def test_what_is_no_checkpoint(self, train, path, content, lasting):
        if content is None:
            lasting.save(path)
        else:
            path.write_bytes(content)
        before = path.read_bytes()
        found = "is the file of a classifier" if content is None else "is damaged, or no checkpoint"
        with pytest.raises(CheckpointError, match=found):
            train(path)
        assert path.read_bytes() == before

    def test_a_flipped_bit(self, train, path):
        train(path, halt_at=3)
        content = bytearray(path.read_bytes())
        content[-9] ^= 4
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match="is damaged"):
            train(path)

    def test_a_folder_that_is_not_there(self, train, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"There is no folder '.*none'"):
            train(tmp_path / "none" / "fit")

    def test_a_folder(self, train, tmp_path):
        with pytest.raises(IsADirectoryError, match="is a folder; give the path of a file"):
            train(tmp_path)
        assert list(tmp_path.parent.glob(".*.lock")) == []

    def test_randomness_that_cannot_come_again(self, train, path):
        with pytest.raises(ValueError, match=r"checkpoint=.* with random_state=None"):
            train(path, random_state=None)

    def test_to_be_loaded_as_a_classifier(self, train, path):
        train(path, halt_at=2)
        with pytest.raises(ModelFileError):
            stf2m_sk.load(path)


class TestOneFitAtATime:
    def test_the_second_is_refused_at_once(self, train, path, whole):
        link = path.with_name("link")
        link.symlink_to(path)
        with open_checkpoint(path, {}):
            for name in (path, str(path), link):
                with pytest.raises(CheckpointError, match="is in use by another fit"):
                    train(name)
        link.unlink()
        assert bytes_of(train(path), path.parent) == whole

    def test_a_fit_within_a_fit(self, train, make, path, arrays):
        found = []

        class Second(Callback):
            def on_train_begin(self, net, **kwargs):
                with pytest.raises(CheckpointError, match="in use") as error:
                    make(checkpoint=path).fit(arrays.X, arrays.y)
                found.append(error)

        train(path, callbacks=[Second()])
        assert len(found) == 3

    def test_is_free_after_an_error(self, train, path):
        train(path, halt_at=1)
        assert list(path.parent.iterdir()) == []

    def test_a_lock_that_a_kill_has_left(self, train, path):
        path.with_name(f".{path.name}.lock").touch()
        train(path)
        assert list(path.parent.iterdir()) == []


def test_an_error_comes_out_of_a_worker(train, path):
    train(path, halt_at=2)
    with pytest.raises(CheckpointError) as raised:
        train(path, max_epochs=3)
    again = pickle.loads(pickle.dumps(raised.value))
    assert type(again) is CheckpointError
    assert str(again) == str(raised.value)
    assert "max_epochs (2 there, 3 now)" in str(again)


@pytest.mark.parametrize("kind", [str, Path])
class TestAPathOfEitherType:
    def test_is_kept_as_it_was_given(self, path, kind):
        given = kind(path)
        again = clone(STF2MClassifier(checkpoint=given))
        assert again.checkpoint == again.get_params()["checkpoint"] == given
        assert type(again.checkpoint) is type(given)
        assert path.name in repr(again) and path.name in estimator_html_repr(again)

    def test_in_a_grid_search(self, make, arrays, path, kind):
        def scores(checkpoint):
            small = make(checkpoint=checkpoint, callbacks=(), n_networks=2, max_epochs=1)
            search = GridSearchCV(small, {"n_kernels": [4, 8]}, cv=2, scoring="neg_log_loss")
            return search.fit(arrays.X, arrays.y).cv_results_["mean_test_score"]

        np.testing.assert_array_equal(scores(kind(path)), scores(None))
        assert list(path.parent.iterdir()) == []

    def test_in_a_few_shot_score(self, quick, arrays, path, kind):
        def summary(checkpoint):
            protocol = FewShotProtocol(shots=1, gap=None, random_state=0)
            how = {"groups": GROUPS, "protocol": protocol, "cv": 2}
            scored = few_shot_score(quick(checkpoint=checkpoint), arrays.X, arrays.y, **how)
            return repr(scored.summary())

        assert summary(kind(path)) == summary(None)
        assert list(path.parent.iterdir()) == []

    def test_is_not_saved(self, quick, arrays, path, kind):
        model = path.with_name("model")
        quick(checkpoint=kind(path)).fit(arrays.X, arrays.y).save(model)
        assert path.name.encode() not in model.read_bytes()
        assert stf2m_sk.load(model).checkpoint is None


class TestAPlaceThatCannotBeWritten:
    """Said before anything is trained."""

    def test_in_a_locked_folder(self, train, locked_folder):
        with pytest.raises(PermissionError, match=r"checkpoint='.*fit' cannot be written: .*Give"):
            train(locked_folder / "fit")
        assert Halt.begun == 0
        assert list(locked_folder.iterdir()) == []

    def test_below_a_file(self, train, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(FileNotFoundError, match=r"There is no folder '.*file'"):
            train(tmp_path / "file" / "fit")
        assert Halt.begun == 0

    def test_a_full_disk(self, train, path, whole, monkeypatch):
        train(path, halt_at=2)
        before = path.read_bytes()

        def full(handle):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr("os.fsync", full)
        with pytest.raises(OSError, match=f"No space left on device: '{path}'"):
            train(path)
        monkeypatch.undo()
        assert path.read_bytes() == before
        assert [file.name for file in path.parent.iterdir()] == [path.name]
        assert bytes_of(train(path), path.parent) == whole
