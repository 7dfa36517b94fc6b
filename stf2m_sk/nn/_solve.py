"""Linear systems with a positive definite matrix, solved so that gradients are cheap."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["solve_positive"]


class _SolvePositive(torch.autograd.Function):
    """By Cholesky's factor, of which the gradient makes use once more.

    Left to itself torch would differentiate the factorisation, which takes several times as long.
    Its LU solver, which would not need to, reads a batch of matrices with more than one thread
    wrongly (torch 2.13 with MKL: "Pivots given to lu_solve must all be greater or equal to 1").
    """

    @staticmethod
    def forward(ctx, matrix: Tensor, columns: Tensor) -> Tensor:
        factor = torch.linalg.cholesky(matrix)
        solved = torch.cholesky_solve(columns, factor)
        ctx.save_for_backward(factor, solved)
        return solved

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, Tensor]:
        factor, solved = ctx.saved_tensors
        of_columns = torch.cholesky_solve(gradient, factor)
        return -of_columns @ solved.mT, of_columns


def solve_positive(matrix: Tensor, columns: Tensor) -> Tensor:
    """Solve ``matrix @ X = columns``.

    Parameters
    ----------
    matrix : Tensor of shape (..., n, n)
        Symmetric and positive definite; not checked for symmetry.
    columns : Tensor of shape (..., n, n_columns)
        Right-hand sides, with the same leading dimensions.

    Returns
    -------
    Tensor of shape (..., n, n_columns)
        X, differentiable once.

    Raises
    ------
    torch.linalg.LinAlgError
        If the matrix is not positive definite.

    Examples
    --------
    >>> import torch
    >>> from stf2m_sk.nn._solve import solve_positive
    >>> solve_positive(torch.tensor([[2.0, 0.0], [0.0, 4.0]]), torch.ones(2, 1)).T
    tensor([[0.5000, 0.2500]])
    """
    return _SolvePositive.apply(matrix, columns)
