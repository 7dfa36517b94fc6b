"""Joining Views along the clips, and bringing them to the modalities of a schema."""

import re

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from stf2m_sk.views import Modality, Views, ViewSchema, as_views


def exactly(message):
    return f"^{re.escape(message)}$"


@pytest.fixture
def views():
    eda = np.arange(8.0).reshape(4, 1, 2)
    acc = np.arange(36.0).reshape(4, 3, 3)
    eda[1] = np.nan
    acc[2, 1, 0] = np.nan
    return Views(
        {"eda": eda, "acc": acc},
        rates={"acc": 8},
        channel_names={"acc": ["x", "y", "z"]},
    )


class TestConcatenate:
    def test_order_of_first_appearance(self):
        a, b, c = (Views({n: [[[1.0]]], m: [[[2.0]]]}) for n, m in ["xy", "yx", "zx"])
        assert Views.concatenate([a, b, c]).names == ("x", "y", "z")

    def test_absent_modality_is_not_measured(self):
        joined = Views.concatenate([Views({"a": [[[1.0]]]}), Views({"b": [[[2.0, 3.0]]]})])
        assert_array_equal(joined["a"], [[[1.0]], [[np.nan]]])
        assert_array_equal(joined["b"], [[[np.nan, np.nan]], [[2.0, 3.0]]])

    def test_knowledge_of_any_part_holds_for_all(self):
        bare = Views({"a": [[[1.0]]]})
        known = Views({"a": [[[2.0]]]}, rates={"a": 4}, channel_names={"a": ["x"]})
        for parts in ([bare, known, bare], [known, bare]):
            assert Views.concatenate(parts).schema == known.schema

    def test_float32_only_if_all_are(self):
        double = Views({"a": [[[1.0]]]})
        single = double.astype(np.float32)
        assert Views.concatenate(iter([single, single])).dtype == np.float32
        assert Views.concatenate([single, double]).dtype == np.float64

    def test_empty_parts_add_nothing(self, views):
        assert Views.concatenate([views[:0], views, views[:0]]).equals(views)
        assert len(Views.concatenate([views[:0]])) == 0

    def test_is_a_copy(self, views):
        assert not np.shares_memory(Views.concatenate([views])["eda"], views["eda"])

    @pytest.mark.parametrize(
        ("other", "message"),
        [
            (Views({"a": np.ones((1, 2, 3))}), "modality 'a': given 2 channels, expected 1"),
            (
                Views({"a": [[[1.0]]]}, rates={"a": 4}),
                "modality 'a': given a rate of 4 Hz, expected 8 Hz; resample it first",
            ),
            (
                Views({"a": [[[1.0]]]}, channel_names={"a": ["y"]}),
                "modality 'a': given channels ('y',), expected ('x',) in this order",
            ),
        ],
    )
    def test_parts_must_agree(self, other, message):
        first = Views({"a": [[[1.0]]]}, rates={"a": 8}, channel_names={"a": ["x"]})
        with pytest.raises(ValueError, match=exactly(message)):
            Views.concatenate([first, other])

    def test_wrong_parts(self, views):
        with pytest.raises(TypeError, match=r"^every part must be Views, given ndarray$"):
            Views.concatenate([views, np.zeros((2, 2))])
        with pytest.raises(ValueError, match="expected at least one Views to concatenate"):
            Views.concatenate([])


class TestConform:
    fitted = ViewSchema(
        [Modality("acc", 3, 9, 8.0, ("x", "y", "z")), Modality("hr", 2, 7), Modality("eda", 1, 2)]
    )

    def test_order_lengths_and_absent_modalities(self, views):
        agreed = views.conform(self.fitted)
        assert agreed.names == ("acc", "hr", "eda")
        assert agreed["acc"] is views["acc"]
        assert_array_equal(agreed["hr"], np.full((4, 2, 1), np.nan))
        assert agreed.schema["hr"] == Modality("hr", 2, 1)
        assert agreed.dtype == views.dtype

    def test_absent_modality_keeps_float32(self, views):
        agreed = views.astype(np.float32).conform(self.fitted)
        assert agreed["hr"].dtype == np.float32

    def test_nothing_to_change_gives_the_same_object(self, views):
        assert views.conform(views.schema) is views
        assert views.conform(views.schema.to_dict()) is views

    def test_either_side_may_know_rates_and_channel_names(self):
        bare = Views({"a": [[[1.0]]]})
        known = Views({"a": [[[1.0]]]}, rates={"a": 4}, channel_names={"a": ["x"]})
        assert bare.conform(known.schema).equals(known)
        assert known.conform(bare.schema) is known

    def test_computed_rates_agree_to_rounding(self):
        rate = 0.1 + 0.2
        assert rate != 0.3
        views = Views({"a": [[[1.0]]]}, rates={"a": rate})
        assert views.conform({"a": {"n_channels": 1, "rate": 0.3}}).schema["a"].rate == 0.3

    @pytest.mark.parametrize(
        ("schema", "message"),
        [
            (
                {"eda": {"n_channels": 1}},
                "unknown modalities ['acc']; the schema has ['eda']; "
                "leave the others out with .drop(*names)",
            ),
            (
                {"eda": {"n_channels": 2}, "acc": {"n_channels": 3}},
                "modality 'eda': given 1 channels, expected 2",
            ),
            (
                {"eda": {"n_channels": 1}, "acc": {"n_channels": 3, "rate": 8.001}},
                "modality 'acc': given a rate of 8 Hz, expected 8.001 Hz; resample it first",
            ),
            (
                {
                    "eda": {"n_channels": 1},
                    "acc": {"n_channels": 3, "channel_names": ["z", "y", "x"]},
                },
                "modality 'acc': given channels ('x', 'y', 'z'), expected ('z', 'y', 'x') "
                "in this order",
            ),
        ],
    )
    def test_errors(self, views, schema, message):
        with pytest.raises(ValueError, match=exactly(message)):
            views.conform(schema)

    def test_as_views_conforms(self, views):
        assert as_views(views) is views
        assert as_views(views, self.fitted).equals(views.conform(self.fitted))
