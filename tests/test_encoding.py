"""The encoder as a transformer."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from stf2m_sk.encoding import SpatioTemporalEncoder
from stf2m_sk.fuzzy import FuzzyRuleTransformer


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


class TestEmbeddings:
    def test_are_the_classifiers_without_its_rules(self, encoder, lasting, people):
        adapted = lasting.adapt(people.new_views[:4], people.new_target[:4])
        embeddings = encoder.transform(people.new_views[:4])
        n_columns = embeddings.shape[1]
        assert n_columns == len(encoder.get_feature_names_out()) == 8 + len(people.views)
        kept = adapted.support_.embeddings[:, :n_columns]
        n_level = round(0.3 * (n_columns - 8))
        sizes = [8, n_columns - 8 - n_level, n_level]
        kept = kept * np.sqrt(np.repeat(sizes, sizes))
        assert_allclose(np.sort(embeddings, axis=0), np.sort(kept, axis=0), rtol=1e-12)

    def test_have_columns_of_size_one(self, encoder, people):
        embeddings = encoder.transform(people.views)
        for part in (embeddings[:, :8], embeddings[:, 8:]):
            assert 0.7 < np.sqrt(np.mean(part**2)) < 1.4

    def test_a_clip_stands_alone(self, encoder, people):
        together = encoder.transform(people.new_views)
        alone = [encoder.transform(clip) for clip in people.new_views]
        assert_allclose(np.concatenate(alone), together, rtol=0, atol=1e-12)

    def test_keep_the_dtype(self, encoder, people):
        assert encoder.transform(people.new_views).dtype == np.float64
        single = encoder.transform(people.new_views.astype(np.float32))
        assert single.dtype == np.float32
        assert_allclose(single, encoder.transform(people.new_views), atol=1e-5)

    def test_names_of_the_columns(self, encoder):
        names = encoder.get_feature_names_out().tolist()
        assert names[:2] == ["learned0", "learned1"]
        assert names[8] == "course0"
        assert names[-1].startswith("level")
        assert len(set(names)) == len(names)

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
    def test_rules_and_a_linear_model_behind_it(self, quick, arrays):
        model = make_pipeline(
            SpatioTemporalEncoder(quick(n_kernels=40)),
            FuzzyRuleTransformer(n_rules=2, initialisation="k-means", random_state=0),
            LogisticRegression(),
        )
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
