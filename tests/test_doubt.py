"""The warning where clips are unlike anything that the classifier was trained on."""

import re
import warnings

import numpy as np
import pytest

import stf2m_sk
from stf2m_sk import STF2MClassifier
from stf2m_sk.datasets import load_stress, make_emotion_views
from stf2m_sk.doubt import UnlikeClipsWarning
from stf2m_sk.inspection import unlikeness
from stf2m_sk.views import Views

SMALL = {"n_networks": 0, "n_kernels": 60, "n_patterns": 24, "random_state": 0}
FAULTS = {
    "zeros": lambda values, scale, generator: np.where(np.isnan(values), values, 0),
    "noise": lambda values, scale, generator: (
        values + 100 * scale * generator.normal(size=values.shape)
    ),
    "unit": lambda values, scale, generator: 1000 * values,
}


def faulty(views, fault, names):
    generator = np.random.default_rng(0)
    arrays = dict(views.to_dict())
    for name in names:
        values = arrays[name]
        scale = np.nanstd(values, axis=(0, 2))[:, None]
        arrays[name] = FAULTS[fault](values, scale, generator).astype(values.dtype)
    return Views(arrays, rates={m.name: m.rate for m in views.schema})


class Split:
    def __init__(self, data, n_known, n_new):
        people = np.unique(data.groups)
        known = np.isin(data.groups, people[:n_known])
        new = np.isin(data.groups, people[-n_new:])
        self.classifier = STF2MClassifier(**SMALL)
        self.classifier.fit(data.views[known], data.target[known], groups=data.groups[known])
        self.views, self.y = data.views[new], data.target[new]
        self.names = data.views.names


@pytest.fixture(scope="module", params=["generated", "bundled"])
def split(request):
    if request.param == "generated":
        return Split(make_emotion_views(n_people=16, missing=0.1, random_state=0), 10, 6)
    return Split(load_stress(), 10, 6)


def warned(call, *args):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call(*args)
    return [w for w in caught if issubclass(w.category, UnlikeClipsWarning)]


def test_clean_clips_of_new_people_hardly_ever_warn(split):
    said = warned(split.classifier.predict, split.views)
    n_odd = sum(int(str(one.message).split()[0]) for one in said)
    assert n_odd < 0.05 * len(split.views)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_all_modalities_warns_once_and_counts(split, fault):
    views = faulty(split.views, fault, split.names)
    for call in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        (one,) = warned(getattr(split.classifier, call), views)
        assert f"{len(views)} of {len(views)} clip(s)" in str(one.message)
    # A clip of which most modalities are absent has a small variance, whatever the others show.
    usual = np.quantile(unlikeness(split.classifier, split.views), 0.95)
    assert np.median(unlikeness(split.classifier, views)) > usual


@pytest.mark.parametrize("fault", ["noise", "unit"])
def test_the_modality_that_is_off_is_named(split, fault):
    for name in split.names:
        views = faulty(split.views, fault, [name])
        message = str(warned(split.classifier.predict, views)[0].message)
        n_present = views.present[:, split.names.index(name)].sum()
        (n_named,) = re.findall(rf"{name!r} in (\d+)", message)
        assert int(n_named) > 0.9 * n_present


def test_the_first_clip_is_named():
    data = make_emotion_views(n_people=8, random_state=0)
    classifier = STF2MClassifier(**SMALL).fit(data.views, data.target, groups=data.groups)
    arrays = {name: np.array(data.views[name][:9]) for name in data.views.names}
    arrays["skin"][5:7] = 1.0
    views = Views(arrays, rates={m.name: m.rate for m in data.views.schema})
    with pytest.warns(UnlikeClipsWarning, match=r"2 of 9 .* first is clip 5\. Off: 'skin' in 2 of"):
        classifier.predict_proba(views)


def test_the_warning_points_at_the_caller(split):
    views = faulty(split.views, "zeros", split.names)
    (one,) = warned(split.classifier.predict_proba, views)
    assert one.filename == __file__


def test_a_saved_classifier_doubts_as_it_did(split, tmp_path):
    split.classifier.save(tmp_path / "a.safetensors")
    loaded = stf2m_sk.load(tmp_path / "a.safetensors")
    np.testing.assert_array_equal(
        unlikeness(loaded, split.views), unlikeness(split.classifier, split.views)
    )
    views = faulty(split.views, "zeros", split.names)
    assert [str(w.message) for w in warned(loaded.predict, views)] == [
        str(w.message) for w in warned(split.classifier.predict, views)
    ]
