"""ViewScaler against NumPy and scikit-learn's scalers."""

import copy
import pickle

import numpy as np
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError, UnsetMetadataPassedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import RobustScaler, StandardScaler

from stf2m_sk import Views
from stf2m_sk.preprocessing import ViewScaler

GROUPS = np.array(["ann", "bob", "ann", "bob", "cho", "cho"])


def by_numpy(values, method="standard"):
    """Centre and scale of each channel, channel by channel, without NaN."""
    channels = [channel[~np.isnan(channel)] for channel in np.moveaxis(values, 1, 0)]
    if method == "standard":
        return [c.mean() for c in channels], [c.std() for c in channels]
    quartiles = [np.percentile(c, [25, 50, 75]) for c in channels]
    return [q[1] for q in quartiles], [(q[2] - q[0]) / 1.349 for q in quartiles]


def scale_by_numpy(values, centre, scale):
    return (values - np.reshape(centre, (-1, 1))) / np.reshape(scale, (-1, 1))


class TestPopulation:
    @pytest.mark.parametrize("method", ["standard", "robust"])
    def test_statistics_and_answer(self, views, method):
        scaler = ViewScaler(method=method).fit(views)
        scaled = scaler.transform(views)
        for name in views.names:
            centre, scale = by_numpy(views[name], method)
            assert_allclose(scaler.centers_[name], centre, rtol=1e-13)
            assert_allclose(scaler.scales_[name], scale, rtol=1e-13)
            assert_allclose(scaled[name], scale_by_numpy(views[name], centre, scale), rtol=1e-10)
        assert scaler.people_ is None
        assert scaler.person_centers_ is None
        assert scaler.person_scales_ is None

    @pytest.mark.parametrize("method", ["standard", "robust"])
    def test_a_table_is_scaled_as_by_scikit_learn(self, method):
        X = np.random.default_rng(2).gamma(2.0, 50.0, size=(40, 3))
        X[::7, 1] = np.nan
        X[:, 2] = 0.1
        peer = StandardScaler() if method == "standard" else RobustScaler(unit_variance=True)
        # scikit-learn's robust scaler has the exact interquartile range of a normal: 1.34898.
        rtol = 1e-12 if method == "standard" else 2e-5
        found = ViewScaler(method=method).fit_transform(X)
        assert_allclose(found, peer.fit_transform(X), rtol=rtol, atol=1e-13)

    def test_groups_are_accepted_and_not_used(self, views):
        with_groups = ViewScaler().fit(views, groups=GROUPS)
        alone = ViewScaler().fit(views)
        assert with_groups.transform(views, groups=["new"] * 6).equals(alone.transform(views))

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("method", ["standard", "robust"])
    def test_a_large_level_keeps_a_small_spread(self, dtype, method):
        level = 1e4 if dtype == np.float32 else 1e9
        values = (level + np.random.default_rng(0).normal(size=(300, 1, 50))).astype(dtype)
        scaler = ViewScaler(method=method).fit(values)
        centre, scale = by_numpy(values.astype(np.longdouble), method)
        assert_allclose(scaler.scales_["signal"], np.asarray(scale, np.float64), rtol=1e-6)
        assert_allclose(scaler.centers_["signal"], np.asarray(centre, np.float64), rtol=1e-14)
        assert scaler.transform(values).std() == pytest.approx(1.0, rel=0.05)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("method", ["standard", "robust"])
    @pytest.mark.parametrize("value", [0.1, -1234.567, 0.0, 1e-30])
    def test_a_constant_channel_has_scale_1(self, dtype, method, value):
        values = np.full((700, 2, 13), value, dtype=dtype)
        values[:, 1, ::2] = np.nextafter(dtype(value), dtype(np.inf)) if value else 0.0
        scaler = ViewScaler(method=method).fit(values)
        assert scaler.scales_["signal"].tolist() == [1.0, 1.0]
        assert_allclose(scaler.transform(values), 0.0, atol=2e-7 * abs(value))

    def test_a_channel_never_measured_has_centre_0_and_scale_1(self, views):
        views["acc"][:, 1] = np.nan
        for method in ("standard", "robust"):
            scaler = ViewScaler(method=method).fit(views)
            assert scaler.centers_["acc"][1] == 0.0
            assert scaler.scales_["acc"][1] == 1.0
            later = {"acc": np.full((1, 3, 2), 5.0)}
            assert scaler.transform(later)["acc"][0, 1].tolist() == [5.0, 5.0]

    def test_one_that_a_schema_names_and_nobody_has(self):
        schema = {"hr": {"n_channels": 1}, "eda": {"n_channels": 2}}
        scaler = ViewScaler(schema=schema).fit({"hr": np.array([[[1.0, 3.0]]])})
        assert scaler.centers_["eda"].tolist() == [0.0, 0.0]
        assert scaler.scales_["eda"].tolist() == [1.0, 1.0]

    @pytest.mark.parametrize("scope", ["population", "person"])
    def test_inverse(self, views, scope):
        scaler = ViewScaler(scope=scope).fit(views, groups=GROUPS)
        for groups in (None, GROUPS):
            scaled = scaler.transform(views, groups=groups)
            back = scaler.inverse_transform(scaled, groups=groups)
            assert back.schema == views.schema
            for name in views.names:
                assert_allclose(back[name], views[name], rtol=1e-12)
        assert type(scaler.inverse_transform(views.to_dict())) is dict

    def test_too_large_values(self, unchanged):
        scaler = ViewScaler()
        huge = np.array([[1e308], [-1e308]])
        message = "modality 'features', channel 0: the values are too large for their mean"
        unchanged(scaler, message, lambda: scaler.fit(huge))
        narrow = scaler.fit(np.array([[0.0], [1e-150]]))
        with pytest.raises(ValueError, match="modality 'features': a result is too large for"):
            narrow.transform(np.array([[1e200]]))


class TestLaws:
    @settings(max_examples=30, deadline=None)
    @given(
        order=st.permutations(range(6)),
        trailing=st.integers(0, 9),
        names=st.permutations(["acc", "eda", "hr"]),
        method=st.sampled_from(["standard", "robust"]),
    )
    def test_neither_order_nor_trailing_nan_matters(self, order, trailing, names, method):
        generator = np.random.default_rng(1)
        views = Views({name: generator.normal(5.0, 2.0, size=(6, 2, 8)) for name in names})
        padded = Views(
            {
                name: np.pad(
                    views[name][order], [(0, 0), (0, 0), (0, trailing)], constant_values=np.nan
                )
                for name in sorted(names)
            }
        )
        one, other = ViewScaler(method=method).fit(views), ViewScaler(method=method).fit(padded)
        for name in names:
            assert_allclose(one.centers_[name], other.centers_[name], rtol=1e-13)
            assert_allclose(one.scales_[name], other.scales_[name], rtol=1e-13)
            found = one.transform(padded)[name]
            assert_array_equal(found[..., :8], one.transform(views)[name][order])
            assert np.isnan(found[..., 8:]).all()

    @settings(max_examples=30, deadline=None)
    @given(cut=st.integers(1, 5), order=st.permutations(range(6)))
    def test_chunks_and_order_of_people(self, cut, order):
        values = np.random.default_rng(3).normal(size=(6, 2, 5))
        scaler = ViewScaler(scope="person").fit(values, groups=GROUPS)
        whole = scaler.transform(values, groups=GROUPS)
        chunks = [
            scaler.transform(values[part], groups=GROUPS[part])
            for part in (slice(cut), slice(cut, None))
        ]
        assert_array_equal(np.concatenate(chunks), whole)
        again = ViewScaler(scope="person").fit_transform(values[order], groups=GROUPS[order])
        assert_allclose(again, whole[order], atol=1e-12)


class TestPerson:
    @pytest.mark.parametrize("method", ["standard", "robust"])
    def test_everyone_by_their_own(self, views, method):
        scaler = ViewScaler(scope="person", method=method)
        scaled = scaler.fit_transform(views, groups=GROUPS)
        assert scaler.people_.tolist() == ["ann", "bob", "cho"]
        for row, person in enumerate(scaler.people_):
            own = person == GROUPS
            for name in views.names:
                centre, scale = by_numpy(views[name][own], method)
                assert_allclose(scaler.person_centers_[name][row], centre)
                assert_allclose(scaler.person_scales_[name][row], scale)
                expected = scale_by_numpy(views[name][own], centre, scale)
                assert_allclose(scaled[name][own], expected, atol=1e-10)
        assert scaler.transform(views, groups=GROUPS).equals(scaled)

    def test_without_groups_the_mean_over_people(self, views):
        scaler = ViewScaler(scope="person").fit(views, groups=GROUPS)
        each = [by_numpy(views["acc"][person == GROUPS]) for person in ("ann", "bob", "cho")]
        centre, scale = np.mean([c for c, _ in each], axis=0), np.mean([s for _, s in each], axis=0)
        assert_allclose(scaler.centers_["acc"], centre)
        assert_allclose(scaler.scales_["acc"], scale)
        expected = scale_by_numpy(views["acc"], centre, scale)
        assert_allclose(scaler.transform(views)["acc"], expected, atol=1e-12)

    def test_people_who_cannot_tell_take_it_from_the_others(self):
        nan = np.nan
        values = np.array([[[1.0, 3.0]], [[10.0, 30.0]], [[nan, nan]], [[7.0, nan]]])
        scaler = ViewScaler(scope="person").fit(values, groups=["a", "b", "never", "once"])
        centre, scale = np.mean([2.0, 20.0, 7.0]), np.mean([1.0, 10.0])
        assert_allclose(scaler.centers_["signal"], [centre])
        assert_allclose(scaler.scales_["signal"], [scale])
        assert_allclose(scaler.person_centers_["signal"][:, 0], [2.0, 20.0, centre, 7.0])
        assert_allclose(scaler.person_scales_["signal"][:, 0], [1.0, 10.0, scale, scale])

    def test_the_transformed_data_teach_nothing(self, views):
        scaler = ViewScaler(scope="person").fit(views, groups=GROUPS)
        state = pickle.dumps(scaler)
        other = Views({"hr": np.full((2, 1, 3), 500.0)}, rates={"hr": 1})
        found = scaler.transform(other, groups=["ann", "bob"])["hr"][:, 0, 0]
        expected = [
            (500.0 - scaler.person_centers_["hr"][row, 0]) / scaler.person_scales_["hr"][row, 0]
            for row in (0, 1)
        ]
        assert_allclose(found, expected)
        assert pickle.dumps(scaler) == state

    @pytest.mark.parametrize("groups", [[3, 1, 3, 1, 2, 2], [3.0, 1.0, 3.0, 1.0, 2.0, 2.0]])
    def test_people_may_be_numbers(self, views, groups):
        scaler = ViewScaler(scope="person").fit(views, groups=groups)
        expected = ViewScaler(scope="person").fit_transform(views, groups=GROUPS)
        assert scaler.transform(views, groups=np.array(groups)).equals(expected)

    def test_errors(self, views, unchanged):
        scaler = ViewScaler(scope="person")
        unchanged(scaler, "needs groups, the person of each clip", lambda: scaler.fit(views))
        unchanged(
            scaler, "needs groups, the person of each clip", lambda: scaler.fit_transform(views)
        )
        unchanged(
            scaler,
            "groups has 2 entries for 6 clips",
            lambda: scaler.fit(views, groups=["ann", "bob"]),
        )
        scaler.fit(views, groups=GROUPS)
        unchanged(scaler, "needs groups", lambda: scaler.fit(views[:2]))
        with pytest.raises(ValueError, match=r"1 unknown person.*'dan'; 3 were.*Use adapt\(X\)"):
            scaler.transform(views[:2], groups=["dan", "ann"])
        with pytest.raises(ValueError, match="groups holds NaN or None, the first at clip 1"):
            scaler.transform(views[:2], groups=["ann", None])


class TestAdapt:
    def test_takes_its_statistics_from_these_clips_alone(self, views):
        scaler = ViewScaler(scope="person").fit(views[:4], groups=GROUPS[:4])
        state = pickle.dumps(scaler)
        adapted = scaler.adapt(views[4:])
        for name in views.names:
            centre, scale = by_numpy(views[name][4:])
            assert_allclose(adapted.centers_[name], centre)
            assert_allclose(adapted.scales_[name], scale)
            expected = scale_by_numpy(views[name], centre, scale)
            assert_allclose(adapted.transform(views)[name], expected, atol=1e-10)
        known = adapted.transform(views[:4], groups=GROUPS[:4])
        assert known.equals(scaler.transform(views[:4], groups=GROUPS[:4]))
        assert pickle.dumps(scaler) == state
        assert adapted is not scaler

    def test_starts_from_the_population_again(self, views):
        scaler = ViewScaler(scope="person").fit(views, groups=GROUPS)
        twice = scaler.adapt(views[:1]).adapt(views[4:].select("hr"))
        assert_array_equal(twice.centers_["acc"], scaler.centers_["acc"])
        assert_array_equal(twice.scales_["eda"], scaler.scales_["eda"])
        assert_allclose(twice.centers_["hr"], np.nanmean(views["hr"][4:]))

    def test_falls_back_on_the_population(self, views):
        scaler = ViewScaler(scope="person").fit(views, groups=GROUPS)
        support = {name: array[:1].copy() for name, array in views.to_dict().items()}
        support["acc"][:, 0] = np.nan
        support["acc"][:, 1] = 4.0
        del support["hr"]
        adapted = scaler.adapt(support)
        assert adapted.centers_["acc"][0] == scaler.centers_["acc"][0]
        assert adapted.scales_["acc"][0] == scaler.scales_["acc"][0]
        assert adapted.centers_["acc"][1] == 4.0
        assert adapted.scales_["acc"][1] == scaler.scales_["acc"][1]
        assert adapted.scales_["acc"][2] == pytest.approx(support["acc"][:, 2].std())
        assert adapted.scales_["hr"][0] == scaler.scales_["hr"][0]

    def test_of_a_population_scales_as_before(self, views):
        scaler = ViewScaler().fit(views)
        adapted = scaler.adapt(views[:1])
        assert adapted is not scaler
        assert adapted.transform(views).equals(scaler.transform(views))

    def test_shares_no_settings(self, views):
        scaler = ViewScaler(scope="person").set_output(transform="default")
        scaler.fit(views, groups=GROUPS)
        scaler.adapt(views).set_output(transform="pandas").centers_["acc"][:] = 0.0
        assert scaler._sklearn_output_config == {"transform": "default"}
        assert scaler.centers_["acc"].all()

    def test_errors(self, views, unchanged):
        scaler = ViewScaler(scope="person")
        with pytest.raises(NotFittedError, match="is not fitted yet"):
            scaler.adapt(views)
        scaler.fit(views, groups=GROUPS)
        unchanged(scaler, "unknown modalities", lambda: scaler.adapt({"eeg": np.ones((1, 1, 1))}))


class TestRouting:
    def test_groups_through_a_pipeline(self, people, quick):
        scaler = ViewScaler(scope="person")
        with sklearn.config_context(enable_metadata_routing=True):
            pipeline = make_pipeline(
                clone(scaler).set_fit_request(groups=True).set_transform_request(groups=True),
                quick().set_fit_request(groups=True),
            )
            pipeline.fit(people.views, people.target, groups=people.groups)
            known = pipeline.predict_proba(people.views, groups=people.groups)
            new = pipeline.predict_proba(people.new_views)
        scaled = scaler.fit_transform(people.views, groups=people.groups)
        by_hand = quick().fit(scaled, people.target, groups=people.groups)
        assert_array_equal(known, by_hand.predict_proba(scaled))
        assert_array_equal(new, by_hand.predict_proba(scaler.transform(people.new_views)))

    def test_groups_have_to_be_asked_for(self, people, quick):
        pipeline = make_pipeline(ViewScaler(scope="person"), quick())
        with (
            sklearn.config_context(enable_metadata_routing=True),
            pytest.raises(UnsetMetadataPassedError, match="groups"),
        ):
            pipeline.fit(people.views, people.target, groups=people.groups)
        with pytest.raises(ValueError, match="In a Pipeline switch metadata routing on"):
            copy.deepcopy(pipeline).fit(people.views, people.target)
