"""What several test files share: a small population, and classifiers fitted on it."""

import contextlib
import copy
import functools
import os
import re
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.sparse import issparse
from sklearn.utils import Bunch

import stf2m_sk
from stf2m_sk import STF2MClassifier
from stf2m_sk.datasets import make_emotion_views

QUICK = {"n_networks": 0, "n_kernels": 8, "n_patterns": 8, "random_state": 0}


def _frozen(value):
    """Something that compares by value, to the last bit."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    if issparse(value):
        value = value.toarray()
    if isinstance(value, np.ndarray):
        content = tuple(value.tolist()) if value.dtype.kind == "O" else value.tobytes()
        return value.dtype.str, value.shape, content
    if isinstance(value, tuple | list):
        return type(value).__name__, tuple(map(_frozen, value))
    if isinstance(value, dict):
        return tuple((name, _frozen(entry)) for name, entry in sorted(value.items()))
    if isinstance(value, np.random.RandomState):
        return _frozen(value.get_state())
    return value


@pytest.fixture(scope="session")
def state_of():
    """A function that writes down everything that a classifier holds."""

    def state_of(classifier):
        state = {name: _frozen(value) for name, value in vars(classifier).items()}
        if "model_" in state:
            model = classifier.model_
            del state["model_"]
            parts = ("population", "numbers", "support", "person", "classes", "population_classes")
            state |= {name: _frozen(getattr(model, name)) for name in (*parts, "priors", "history")}
            state["module"] = id(model.module), _frozen(dict(model.module.state_dict()))
            state["training"] = [part.training for part in model.module.modules()]
            state["weight"] = model.support_weight, model.schema
        return state

    return state_of


@pytest.fixture
def _guarded(state_of):
    """A function that copies a classifier but for its model, and looks after it in the end."""
    before = []

    def guarded(classifier):
        before.append((classifier, state_of(classifier)))
        return copy.copy(classifier)

    yield guarded
    for classifier, state in before:
        assert state_of(classifier) == state, "a test changed the model that all tests share"


@pytest.fixture(scope="session")
def quick():
    """A function that makes small classifiers that train in an instant."""
    return lambda **parameters: STF2MClassifier(**(QUICK | parameters))


@pytest.fixture(scope="session")
def people():
    """Clips of five people: four are the population, the last one is new. float64, with NaN."""
    data = make_emotion_views(
        n_people=5,
        n_clips_per_emotion=3,
        n_emotions=3,
        missing=0.15,
        shortest=0.6,
        random_state=3,
    )
    views = data.views.select("skin", "pulse").astype(np.float64)
    present = views.present.any(axis=1)
    new = data.groups == data.groups[-1]
    known = present & ~new
    new = present & new
    return Bunch(
        views=views[known],
        target=data.target[known],
        groups=data.groups[known],
        new_views=views[new],
        new_target=data.target[new],
    )


@pytest.fixture(scope="session")
def _fitted(people, quick):
    return quick().fit(people.views, people.target, groups=people.groups)


@pytest.fixture
def fitted(_fitted, _guarded):
    """Fitted on the population with its groups; each test gets its own copy."""
    return _guarded(_fitted)


@pytest.fixture(scope="session")
def lasting(_fitted):
    """As `fitted`, but one for all tests: for laws that change nothing."""
    return _fitted


@pytest.fixture(scope="session")
def with_networks(people, quick):
    """As `lasting`, with two small networks."""
    classifier = quick(n_networks=2, hidden_dim=8, max_epochs=3)
    return classifier.fit(people.views, people.target, groups=people.groups)


@pytest.fixture(scope="session")
def arrays():
    """A 3-D array of two channels, and labels that the first channel's mean tells."""
    generator = np.random.default_rng(1)
    y = np.repeat(["calm", "tense"], 12)
    X = generator.normal(size=(24, 2, 12))
    X[12:, 0] += 2.0
    return Bunch(X=X, y=y)


@pytest.fixture(scope="session")
def _fitted_on_array(arrays, quick):
    return quick().fit(arrays.X, arrays.y)


@pytest.fixture
def fitted_on_array(_fitted_on_array, _guarded):
    """Fitted on the 3-D array; each test gets its own copy."""
    return _guarded(_fitted_on_array)


@pytest.fixture
def refuses(state_of):
    """A function that asserts an error, and that it left the classifier as it was."""

    def refuses(classifier, error, message, do):
        before = state_of(classifier)
        with pytest.raises(error, match=message):
            do()
        assert state_of(classifier) == before

    return refuses


@pytest.fixture
def saved(with_networks, people, tmp_path):
    """The file of a classifier with networks that knows a person and an emotion without clips."""
    path = tmp_path / "model.safetensors"
    adapted = with_networks.adapt(
        people.new_views,
        people.new_target,
        unlabelled=people.new_views,
        classes=["awe", *with_networks.classes_],
    )
    adapted.save(path)
    return path


@pytest.fixture
def locked_folder():
    """An empty folder into which nothing can be written."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as after:
        os.chmod(name, 0o555)
        after.callback(os.chmod, name, 0o755)
        if os.geteuid() == 0:  # root may write everywhere
            try:
                os.seteuid(65534)
            except OSError:
                pytest.skip("root cannot become another user here, and may write everywhere")
            after.callback(os.seteuid, 0)
        yield Path(name)


@pytest.fixture
def run_page(monkeypatch, tmp_path):
    """A function that runs the Python blocks of a page, in their order and in one namespace.

    They run in an empty folder, with classifiers that are smaller than the page's; that is all
    that differs. It returns the namespace.
    """
    size = {"n_networks": 0, "n_kernels": 20, "n_patterns": 8}

    def run_page(page, files=()):
        for path in files:
            (tmp_path / path.name).symlink_to(path)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(stf2m_sk, "STF2MClassifier", functools.partial(STF2MClassifier, **size))
        names = {"__name__": page.stem}
        text = page.read_text(encoding="utf-8")
        for block in re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            exec(compile(block, f"a block of {page.name}", "exec"), names)
        return names

    return run_page
