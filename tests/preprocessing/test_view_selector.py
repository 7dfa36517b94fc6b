"""ViewSelector."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from stf2m_sk import Views
from stf2m_sk.preprocessing import ViewSelector

NAMES = ["acc", "eda", "hr"]


def test_keeps_in_the_order_of_keep(views):
    selector = ViewSelector(keep=["hr", "acc"]).fit(views)
    assert selector.selected_ == ("hr", "acc")
    assert selector.transform(views).equals(views.select("hr", "acc"))
    other_order = views.select("acc", "eda", "hr")
    assert selector.transform(other_order).names == ("hr", "acc")


def test_drops_and_keeps_the_order_of_x(views):
    selector = ViewSelector(drop=("eda",)).fit(views)
    assert selector.transform(views).equals(views.drop("eda"))
    assert selector.transform(views.select("hr", "eda", "acc")).names == ("hr", "acc")


def test_all_is_the_default(views):
    assert ViewSelector().fit_transform(views).equals(views)


def test_no_value_is_copied(views):
    kept = ViewSelector(keep=["acc"]).fit_transform(views.to_dict())
    assert np.shares_memory(kept["acc"], views["acc"])


@given(kept=st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
def test_columns_of_the_flat_form(kept):
    schema = {name: {"n_channels": i + 1, "n_timesteps": 2} for i, name in enumerate(NAMES)}
    flat = np.arange(24.0).reshape(2, 12)
    begin = {"acc": 0, "eda": 2, "hr": 6}
    columns = [begin[n] + i for n in kept for i in range(2 * (NAMES.index(n) + 1))]
    selector = ViewSelector(keep=kept, schema=schema)
    assert_array_equal(selector.fit_transform(flat), flat[:, columns])
    names = np.asarray([f"c{i}" for i in range(12)], dtype=object)
    assert_array_equal(selector.get_feature_names_out(names), names[columns])


def test_names_may_be_an_array(views):
    selector = ViewSelector(keep=np.array(["eda"])).fit(views)
    assert selector.selected_ == ("eda",)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"keep": ["eda"], "drop": ["hr"]}, r"both keep=\['eda'\] and drop=\['hr'\] are given"),
        ({"keep": ["emg", "hr"]}, r"keep has unknown modalities \['emg'\]; there are \['acc', 'e"),
        ({"drop": ["emg"]}, r"drop has unknown modalities \['emg'\]; there are \['acc', 'eda', '"),
        ({"keep": ["hr", "hr"]}, r"keep=\['hr', 'hr'\] has a name more than once"),
        ({"keep": []}, r"no modality would be left of \['acc', 'eda', 'hr'\]"),
        ({"drop": NAMES}, r"no modality would be left of \['acc', 'eda', 'hr'\]"),
    ],
)
def test_errors_at_fit(views, parameters, message, unchanged):
    selector = ViewSelector().fit(views).set_params(**parameters)
    unchanged(selector, message, lambda: selector.fit(views))


def test_nothing_left_of_x(views):
    selector = ViewSelector(keep=["hr"]).fit(views)
    only = Views({"eda": np.ones((1, 1, 4))})
    with pytest.raises(ValueError, match=r"none of the modalities \['hr'\].*it has \['eda'\]"):
        selector.transform(only)
