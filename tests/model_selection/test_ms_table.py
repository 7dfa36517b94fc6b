"""Numbers as tables print them."""

import pytest

from stf2m_sk.model_selection._table import Table


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0, "0.000"), (0.5, "0.500"), (-0.0123, "-0.012"), (0.00049, "5e-04"), (-2e-7, "-2e-07")],
)
def test_a_small_number_is_not_shown_as_zero(value, shown):
    assert repr(Table([{"p": value}], "t")).split()[-1] == shown
    assert f"<td>{shown}</td>" in Table([{"p": value}], "t")._repr_html_()
