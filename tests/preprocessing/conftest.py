"""What the tests of the transformers share."""

import numpy as np
import pytest

from stf2m_sk import Views


@pytest.fixture
def views():
    """Six clips of three modalities of other rates, with gaps; float64."""
    generator = np.random.default_rng(5)
    arrays = {
        "acc": generator.normal(3.0, 2.0, size=(6, 3, 32)),
        "eda": generator.normal(-1.0, 0.1, size=(6, 1, 16)),
        "hr": generator.normal(70.0, 9.0, size=(6, 1, 4)),
    }
    arrays["acc"][0, 1, 5:9] = np.nan
    arrays["eda"][1] = np.nan
    arrays["hr"][:, :, 3] = np.nan
    return Views(
        arrays,
        rates={"acc": 8, "eda": 4, "hr": 1},
        channel_names={"acc": ("x", "y", "z")},
    )


@pytest.fixture
def unchanged():
    """A function that runs something and asserts an error that leaves an object as it was."""

    def state(thing):
        return {name: repr(value) for name, value in vars(thing).items()}

    def unchanged(thing, message, do, error=ValueError):
        before = state(thing)
        with pytest.raises(error, match=message):
            do()
        assert state(thing) == before

    return unchanged
