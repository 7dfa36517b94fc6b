"""Solving with a positive definite matrix, against NumPy and finite differences."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stf2m_sk.nn._solve import solve_positive


def positive(*shape, seed=0, dtype=torch.float64):
    source = torch.Generator().manual_seed(seed)
    root = torch.randn(*shape, 2 * shape[-1], generator=source, dtype=dtype)
    return root @ root.mT + torch.eye(shape[-1], dtype=dtype)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 3), st.integers(1, 8), st.integers(0, 5), st.integers(0, 1000))
def test_equals_numpy(n_matrices, n, n_columns, seed):
    matrix = positive(n_matrices, n, seed=seed)
    columns = torch.randn(n_matrices, n, n_columns, dtype=torch.float64)
    expected = np.linalg.solve(matrix.numpy(), columns.numpy())
    np.testing.assert_allclose(solve_positive(matrix, columns), expected, rtol=1e-9, atol=1e-12)


def test_gradient():
    matrix = positive(2, 4).requires_grad_()
    columns = torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)

    def solve(matrix, columns):
        return solve_positive((matrix + matrix.mT) / 2, columns)

    assert torch.autograd.gradcheck(solve, (matrix, columns))


def test_a_batch_with_two_threads():
    """Torch's own LU solver raises here (2.13, MKL)."""
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        matrix = positive(4, 300, dtype=torch.float32)
        columns = torch.ones(4, 300, 50)
        error = matrix @ solve_positive(matrix, columns) - columns
    finally:
        torch.set_num_threads(before)
    assert error.abs().max() < 1e-3


def test_a_matrix_that_is_not_positive_definite():
    with pytest.raises(torch.linalg.LinAlgError):
        solve_positive(-torch.eye(3), torch.ones(3, 1))
