"""The features of the classifier as a transformer."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline

from stf2m_sk.encoding import SpatioTemporalEncoder


@pytest.fixture(scope="module")
def encoder(lasting, people):
    return SpatioTemporalEncoder(FrozenEstimator(lasting)).fit(people.views, people.target)


class TestFit:
    def test_meta_trains_a_clone(self, quick, people):
        classifier = quick()
        encoder = SpatioTemporalEncoder(classifier)
        encoder.fit(people.views, people.target, groups=people.groups)
        assert not classifier.__sklearn_is_fitted__()
        by_hand = quick().fit(people.views, people.target, groups=people.groups)
        frozen = SpatioTemporalEncoder(FrozenEstimator(by_hand)).fit(people.views, people.target)
        assert_array_equal(encoder.transform(people.new_views), frozen.transform(people.new_views))

    def test_groups_matter(self, quick, people):
        one = SpatioTemporalEncoder(quick()).fit(people.views, people.target)
        other = SpatioTemporalEncoder(quick()).fit(
            people.views, people.target, groups=people.groups
        )
        assert (one.transform(people.new_views) != other.transform(people.new_views)).any()

    def test_a_seed_goes_to_the_classifier(self, quick, arrays):
        def embed(**seeds):
            encoder = SpatioTemporalEncoder(quick(random_state=seeds["own"]), **seeds["encoder"])
            return encoder.fit(arrays.X, arrays.y).transform(arrays.X)

        same = {"random_state": 1}
        assert_array_equal(embed(own=2, encoder=same), embed(own=3, encoder=same))
        assert (embed(own=2, encoder={}) != embed(own=3, encoder={})).any()

    def test_a_frozen_classifier_stays_as_it_is(self, encoder, lasting, state_of, people):
        before = state_of(lasting)
        assert encoder.classifier_.estimator is lasting
        assert clone(encoder).fit(people.views, people.target).classifier_.estimator is lasting
        assert state_of(lasting) == before


class TestFeatures:
    def test_are_those_that_the_classifier_conditions_on(self, encoder, lasting, people):
        clips, labels = people.new_views[:4], people.new_target[:4]
        adapted = lasting.adapt(clips, labels)
        features = encoder.transform(clips)
        assert_array_equal(np.sort(features, axis=0), np.sort(adapted.model_.support.features, 0))

    def test_have_the_size_of_the_block_weights(self, encoder, lasting, people):
        features = encoder.transform(people.views)
        module = lasting.model_.module
        parts = np.split(features, np.cumsum([block.size for block in module.blocks])[:-1], axis=1)
        for weight, own in zip(module.scaler.weights.tolist(), parts, strict=True):
            assert 0.3 * weight < np.square(own).sum(axis=1).mean() < 1.001 * weight

    def test_an_absent_modality_is_0(self, encoder, people):
        shown = ~np.isnan(people.new_views["skin"]).all(axis=(1, 2))
        alone = encoder.transform(people.new_views[shown].select("skin"))
        is_skin = np.char.startswith(encoder.get_feature_names_out().astype(str), "skin_")
        assert (alone[:, ~is_skin] == 0).all()
        assert (alone[:, is_skin] != 0).any(axis=1).all()

    def test_a_clip_stands_alone(self, encoder, people):
        together = encoder.transform(people.new_views)
        alone = [encoder.transform(clip) for clip in people.new_views]
        assert_allclose(np.concatenate(alone), together, rtol=0, atol=1e-12)

    def test_keep_the_dtype(self, encoder, people):
        assert encoder.transform(people.new_views).dtype == np.float64
        single = encoder.transform(people.new_views.astype(np.float32))
        assert single.dtype == np.float32
        assert_allclose(single, encoder.transform(people.new_views), atol=1e-5)

    def test_names_of_the_columns(self, encoder, people):
        names = encoder.get_feature_names_out().tolist()
        assert len(set(names)) == len(names) == encoder.transform(people.new_views).shape[1]
        blocks = list(dict.fromkeys(name.rstrip("0123456789") for name in names))
        kinds = ("course", "level", "pattern")
        assert blocks == [f"{view}_{kind}" for view in ("skin", "pulse") for kind in kinds]
        assert names[0] == "skin_course0"
        assert names[-1] == "pulse_pattern7"

    def test_networks_are_the_last_columns(self, quick, arrays):
        small = quick(n_networks=2, max_epochs=1, hidden_dim=4)
        encoder = SpatioTemporalEncoder(small).fit(arrays.X, arrays.y)
        assert encoder.get_feature_names_out()[-2:].tolist() == ["network0", "network1"]
        assert encoder.get_feature_names_out()[0] == "signal_course0"
        assert encoder.transform(arrays.X).shape == (24, len(encoder.get_feature_names_out()))

    def test_as_a_data_frame(self, quick, arrays):
        encoder = SpatioTemporalEncoder(quick()).set_output(transform="pandas")
        frame = pd.DataFrame(arrays.X[:, :, 0], columns=["eda", "pulse"])
        embedded = encoder.fit_transform(frame, arrays.y)
        assert embedded.columns.tolist() == encoder.get_feature_names_out().tolist()
        assert encoder.feature_names_in_.tolist() == ["eda", "pulse"]
        with pytest.raises(ValueError, match="The feature names should match"):
            encoder.transform(frame[["pulse", "eda"]])

    @pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])
    def test_copies_embed_alike(self, encoder, people, duplicate):
        assert_array_equal(
            duplicate(encoder).transform(people.new_views), encoder.transform(people.new_views)
        )


class TestPipeline:
    def test_a_linear_model_behind_it(self, quick, arrays):
        model = make_pipeline(SpatioTemporalEncoder(quick(n_kernels=40)), RidgeClassifier())
        shuffled = np.random.default_rng(0).permutation(len(arrays.y))
        train, test = shuffled[::2], shuffled[1::2]
        model.fit(arrays.X[train], arrays.y[train])
        assert model.score(arrays.X[test], arrays.y[test]) > 0.8


class TestErrors:
    def test_before_fit(self, people):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            SpatioTemporalEncoder().transform(people.views)
        with pytest.raises(NotFittedError, match="not fitted yet"):
            SpatioTemporalEncoder().get_feature_names_out()

    def test_another_classifier(self, arrays):
        with pytest.raises(
            TypeError, match="classifier is a LogisticRegression; expected an STF2M"
        ):
            SpatioTemporalEncoder(LogisticRegression()).fit(arrays.X, arrays.y)

    def test_a_frozen_classifier_that_is_not_fitted(self, quick, arrays):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            SpatioTemporalEncoder(FrozenEstimator(quick())).fit(arrays.X, arrays.y)

    def test_other_modalities_than_the_frozen_classifier(self, lasting, arrays):
        encoder = SpatioTemporalEncoder(FrozenEstimator(lasting))
        with pytest.raises(ValueError, match="X has 1 channels, but the schema has 2"):
            encoder.fit(arrays.X[:, :1], arrays.y)
        assert not encoder.__sklearn_is_fitted__()

    def test_nothing_measured(self, encoder, people):
        nothing = {name: np.full_like(a, np.nan) for name, a in people.views.to_dict().items()}
        with pytest.raises(ValueError, match="hold no measured value in any modality"):
            encoder.transform(nothing)
