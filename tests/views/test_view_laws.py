"""Laws of Views for arbitrary modalities, values and keys, against plain NumPy."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_array_equal

from stf2m_sk.views import Views, as_views

SMALL = st.integers(1, 4)
LAW = settings(max_examples=60, deadline=None)
RATES = st.none() | st.sampled_from([0.5, 8.0, 64.0])


@st.composite
def some_views(draw):
    """Views of one to three modalities whose values include NaN, -0.0 and subnormals."""
    names = draw(st.lists(st.sampled_from("abcd"), min_size=1, max_size=3, unique=True))
    n, dtype = draw(st.integers(1, 6)), draw(st.sampled_from([np.float32, np.float64]))
    values = st.floats(allow_infinity=False, width=np.dtype(dtype).itemsize * 8)
    arrays = {
        name: draw(hnp.arrays(dtype, (n, draw(SMALL), draw(SMALL)), elements=values))
        for name in names
    }
    return Views(arrays, rates={name: draw(RATES) for name in names})


@st.composite
def clip_keys(draw, n):
    """Any key that NumPy takes for the first axis and that keeps or shrinks it."""
    index = st.integers(-n, n - 1)
    indices = draw(st.lists(index, max_size=8))
    mask = draw(st.lists(st.booleans(), min_size=n, max_size=n))
    integer = draw(index)
    unsigned = integer % n
    return draw(
        st.sampled_from(
            [
                integer,
                np.int64(integer),
                np.int8(integer),
                np.uint16(unsigned),
                np.array(integer, np.intp),
                indices,
                np.array(indices, np.intp),
                np.array(indices, np.int8),
                np.array([index % n for index in indices], np.uint64),
                mask,
                np.array(mask),
                draw(st.slices(n)),
                ...,
                range(n),
            ]
        )
    )


def rows_of(array, key):
    """Index with NumPy; a scalar keeps its axis, as it does in Views."""
    rows = array[key]
    return rows[np.newaxis] if rows.ndim < array.ndim else rows


def bits(array):
    """Return the bytes, so that the sign of zero counts and NaN equals itself."""
    return array.shape, array.dtype, np.ascontiguousarray(array).tobytes()


@LAW
@given(some_views())
def test_flat_form_is_modality_then_channel_then_time(views):
    expected = [
        [
            views[m.name][clip, channel, step]
            for m in views.schema
            for channel in range(m.n_channels)
            for step in range(m.n_timesteps)
        ]
        for clip in range(len(views))
    ]
    assert bits(views.to_flat()) == bits(np.array(expected, views.dtype))


@LAW
@given(some_views())
def test_flat_round_trip_loses_nothing(views):
    back = as_views(np.asarray(views), views.schema)
    assert back.schema == views.schema
    for name in views.names:
        assert bits(back[name]) == bits(views[name])


@LAW
@given(st.data(), some_views())
def test_indexing_is_numpy_indexing_of_every_modality_and_of_the_flat_form(data, views):
    key = data.draw(clip_keys(len(views)))
    for taken in (views[key], views[key, ...], views[(key,)], views[key, :]):
        assert isinstance(taken, Views)
        assert taken.schema == views.schema
        for name in views.names:
            assert bits(taken[name]) == bits(rows_of(views[name], key))
        assert bits(np.asarray(taken)) == bits(rows_of(np.asarray(views), key))


@LAW
@given(some_views())
def test_iteration_gives_each_clip(views):
    clips = list(views)
    assert [len(clip) for clip in clips] == [1] * len(views)
    assert_array_equal(np.concatenate([np.asarray(clip) for clip in clips]), np.asarray(views))


@LAW
@given(st.data(), some_views())
def test_concatenating_a_split_gives_the_original(data, views):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(views)), max_size=4)))
    bounds = [0, *cuts, len(views)]
    parts = [views[start:stop] for start, stop in pairwise(bounds)]
    joined = Views.concatenate(parts)
    assert joined.equals(views)
    assert joined.dtype == views.dtype


@LAW
@given(some_views(), st.integers(1, 3))
def test_concatenating_other_lengths_pads_with_trailing_nan(views, extra):
    longer = Views(
        {
            name: np.concatenate([array, np.zeros_like(array[..., :1]).repeat(extra, 2)], axis=2)
            for name, array in views.to_dict().items()
        }
    )
    for parts in ([views, longer], [longer, views]):
        joined = Views.concatenate(parts)
        for name in views.names:
            pad = ((0, 0), (0, 0), (0, extra))
            padded = np.pad(views[name], pad, constant_values=np.nan)
            blocks = [padded if part is views else longer[name] for part in parts]
            assert_array_equal(joined[name], np.concatenate(blocks))
            assert joined.schema[name].n_timesteps == joined[name].shape[2]


@LAW
@given(st.data(), some_views())
def test_concatenating_does_not_depend_on_the_order_of_modalities(data, views):
    shuffled = views.select(*data.draw(st.permutations(views.names)))
    joined = Views.concatenate([views, shuffled])
    assert joined.equals(views[[*range(len(views))] * 2])


@LAW
@given(st.data(), some_views())
def test_conform_does_not_depend_on_the_order_of_modalities(data, views):
    shuffled = views.select(*data.draw(st.permutations(views.names)))
    assert shuffled.conform(views.schema).equals(views)
    assert as_views(shuffled.to_dict(), views.schema).equals(views)


@LAW
@given(st.data(), some_views())
def test_conform_is_idempotent_and_keeps_what_is_there(data, views):
    names = data.draw(st.permutations(views.names))
    kept = names[: data.draw(st.integers(1, len(names)))]
    agreed = views.select(*kept).conform(views.schema)
    assert agreed.conform(views.schema) is agreed
    assert agreed.names == views.names
    for name in views.names:
        if name in kept:
            assert agreed[name] is views[name]
        else:
            assert agreed[name].shape == (len(views), views.schema[name].n_channels, 1)
            assert np.isnan(agreed[name]).all()


@LAW
@given(some_views())
def test_present_and_measured(views):
    for column, name in enumerate(views.names):
        measured = views[name] == views[name]
        assert_array_equal(views.measured(name), measured)
        assert views.present[:, column].tolist() == [clip.any() for clip in measured]


@LAW
@given(st.data(), some_views())
def test_out_of_range_is_an_index_error(data, views):
    n = len(views)
    index = data.draw(st.integers(n, 300) | st.integers(-300, -n - 1))
    for key in (index, [0, index], np.array([index])):
        with pytest.raises(IndexError, match=f"^clip {index} is out of range for {n} clips$"):
            views[key]


@LAW
@given(st.data(), some_views())
def test_mask_of_another_length_is_an_index_error(data, views):
    n = data.draw(st.integers(1, 9).filter(lambda n: n != len(views)))
    message = rf"^a mask of shape \({n},\) does not fit {len(views)} clips$"
    with pytest.raises(IndexError, match=message):
        views[np.ones(n, bool)]
