"""Occlusion of the networks: a planted stretch matters most, and what is not there does not."""

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

from stf2m_sk.inspection import occlude_networks
from stf2m_sk.preprocessing import ViewSelector


def _planted(rng, n_clips):
    """A bump in the second quarter of skin tells "joy" from "calm"; pulse is noise."""
    y = np.tile(["calm", "joy"], n_clips // 2)
    arrays = {name: rng.normal(size=(n_clips, 1, 80)) for name in ("skin", "pulse")}
    arrays["skin"][y == "joy", 0, 20:40] += 3.0
    return arrays, y


@pytest.fixture(scope="module")
def clips():
    return _planted(np.random.default_rng(0), 60)


@pytest.fixture(scope="module")
def classifier(clips, quick):
    networks = quick(n_networks=2, hidden_dim=16, max_epochs=12, n_patterns=0, n_kernels=2)
    return networks.set_params(random_state=0).fit(*clips)


class TestOcclusion:
    def test_a_planted_stretch_matters_most(self, classifier):
        arrays, y = _planted(np.random.default_rng(1), 20)
        table = occlude_networks(classifier, arrays, n_stretches=4)
        own = table[
            (table["emotion"] == "joy") & np.isin(table["clip"], np.flatnonzero(y == "joy"))
        ]
        means = own.groupby(["modality", "start"])["change"].mean()
        assert means.idxmax() == ("skin", 20)
        assert means.max() > 3 * means.drop(("skin", 20)).abs().max()

    def test_the_whole_is_what_one_stretch_takes(self, with_networks, people):
        """A modality in one stretch: the change is that between two explanations."""
        present = people.new_views.present.all(axis=1)
        views = people.new_views[present][:4]
        table = occlude_networks(with_networks, views, n_stretches=1)
        assert len(table) == 4 * 3 * 2
        assert set(table["start"]) == {0.0}
        # With all of the skin gone the networks read what they read of clips without it.
        skin = table[table["modality"] == "skin"].set_index(["clip", "emotion"])["change"]
        module, signals = next(with_networks.model_.standardised(views))
        without = next(with_networks.model_.standardised(views.drop("skin").conform(views.schema)))[
            1
        ]
        log_probabilities = module.ensemble(without)
        features = module.features(signals, log_probabilities).double()
        logits = with_networks.model_.logits_of(with_networks.model_.state, features).numpy()
        whole = with_networks.model_.logits(views).numpy()
        # The rules' share is the same for both, so that logits differ by the networks' term alone.
        for clip in range(4):
            own = [skin[clip, label] for label in with_networks.classes_]
            np.testing.assert_allclose(own, whole[clip] - logits[clip], atol=1e-9)

    def test_a_stretch_that_is_not_measured_changes_nothing(self, with_networks, people):
        views = people.new_views
        arrays = {name: np.array(views[name]) for name in views.names}
        half = arrays["skin"].shape[2] // 2
        arrays["skin"][:, :, half:] = np.nan
        kept = ~np.isnan(np.concatenate([a.reshape(len(a), -1) for a in arrays.values()], 1)).all(1)
        arrays = {name: values[kept] for name, values in arrays.items()}
        table = occlude_networks(with_networks, arrays, n_stretches=2)
        later = table[(table["modality"] == "skin") & (table["start"] > 0)]
        assert not later["change"].any()
        assert table["change"].any()

    def test_times(self, with_networks, people):
        table = occlude_networks(with_networks, people.new_views[:1], n_stretches=4)
        assert table.columns.tolist() == ["clip", "emotion", "modality", "start", "end", "change"]
        for modality in people.new_views.schema:
            own = table[
                (table["modality"] == modality.name) & (table["emotion"] == table["emotion"][0])
            ]
            seconds = people.new_views[modality.name].shape[2] / modality.rate
            assert own["start"].iloc[0] == 0.0
            assert own["end"].iloc[-1] == pytest.approx(seconds)
            np.testing.assert_array_equal(own["start"].iloc[1:], own["end"].iloc[:-1])

    def test_a_pipeline(self, quick, people):
        seen = people.views.present[:, 0]
        networks = quick(n_networks=2, hidden_dim=4, max_epochs=1)
        pipeline = make_pipeline(ViewSelector(keep=["skin"]), networks)
        pipeline.fit(people.views[seen], people.target[seen])
        new = people.new_views[people.new_views.present[:, 0]]
        assert set(occlude_networks(pipeline, new, n_stretches=2)["modality"]) == {"skin"}


class TestRefusals:
    def test_without_networks(self, fitted, people):
        with pytest.raises(ValueError, match="no networks"):
            occlude_networks(fitted, people.new_views)

    @pytest.mark.parametrize("n", [0, -1, 2.5, True])
    def test_stretches(self, with_networks, people, n):
        with pytest.raises(ValueError, match="n_stretches must be a positive integer"):
            occlude_networks(with_networks, people.new_views, n_stretches=n)
