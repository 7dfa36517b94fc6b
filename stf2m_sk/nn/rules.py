"""First-order Takagi-Sugeno-Kang fuzzy rules as a torch layer."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

__all__ = ["FuzzyRules", "RuleBase", "normalised_entropy"]


class RuleBase(NamedTuple):
    """Rules as arrays: where u is near centre r, they add A_r u + b_r to the answer.

    Attributes
    ----------
    centers : float64 array of shape (n_rules, n_features)
        Centres m of the antecedents.
    widths : float64 array of shape (n_rules, n_features)
        Widths s of the antecedents.
    temperature : float
        Temperature tau: the higher, the fewer rules fire at once.
    consequent_weight : float64 array of shape (n_rules, n_outputs, n_features)
        Matrices A of the consequents.
    consequent_bias : float64 array of shape (n_rules, n_outputs)
        Offsets b of the consequents.
    """

    centers: NDArray[np.float64]
    widths: NDArray[np.float64]
    temperature: float
    consequent_weight: NDArray[np.float64]
    consequent_bias: NDArray[np.float64]


class FuzzyRules(nn.Module):
    r"""Gaussian rules with linear consequents, of which this layer gives the design matrix.

    For an input :math:`u \in R^d` and rule r with centre :math:`m_r`, widths :math:`s_r > 0`
    and consequent :math:`(A_r, b_r)`:

    .. math::

        z_r &= -\frac{\tau}{\sqrt d} \frac12 \sum_j \Big(\frac{u_j - m_{rj}}{s_{rj}}\Big)^2, \\
        w &= \mathrm{softmax}(z), \qquad
        y = \sum_r w_r (A_r u + b_r).

    The answer y is linear in the design :math:`w \otimes [u, 1]`. Whoever reads a support solves
    for the consequents in closed form; the antecedents (m, s, tau) live here.

    A feature that is not measured is left out of the sum, which is rescaled by d over the number
    of measured features; it adds nothing to the design. Where nothing is measured all rules
    fire equally. The same firing strengths, in NumPy, are `stf2m_sk.fuzzy.firing_strengths`.

    Parameters
    ----------
    n_features : int
        Dimension d of the input, 16 to 32 in the network.
    n_rules : int
        Number of rules R.
    temperature : float, default=1.0
        Temperature tau at the start.
    generator : torch.Generator
        Source of the initial centres; also decides the device. torch's global generator is left
        as found.

    Attributes
    ----------
    n_design : int
        Columns of the design, ``n_rules * (n_features + 1)``.
    centers : Buffer of shape (n_rules, n_features)
        Centres m; standard normal at the start, see `set_antecedents`. No gradient moves the
        antecedents: they stay where the clips are.
    log_widths : Buffer of shape (n_rules, n_features)
        Logarithm of the widths s; 0 (width 1) at the start.
    log_temperature : Buffer, scalar
        Logarithm of the temperature tau.

    Raises
    ------
    ValueError
        If a size is below 1, or the temperature is not positive.

    Notes
    -----
    Without the division the softmax is taken by one rule as d grows; HTSK (Cui, Wu, Xu,
    arXiv 2102.04271) divides by d, which flattens it. Division by sqrt(d) with a
    temperature is ours, as is the treatment of what is not measured. Consequents by least squares
    for given antecedents are those of Takagi and Sugeno (IEEE TSMC 15, 1985).

    Examples
    --------
    >>> import torch
    >>> from stf2m_sk.nn.rules import FuzzyRules
    >>> rules = FuzzyRules(16, 4, generator=torch.Generator().manual_seed(0))
    >>> firing, design = rules(torch.zeros(5, 16))
    >>> firing.shape, design.shape
    (torch.Size([5, 4]), torch.Size([5, 68]))
    """

    def __init__(
        self,
        n_features: int,
        n_rules: int,
        *,
        temperature: float = 1.0,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        for name, size in {"n_features": n_features, "n_rules": n_rules}.items():
            if size < 1:
                raise ValueError(f"{name} must be at least 1, got {size}.")
        if not temperature > 0:
            raise ValueError(f"temperature must be positive, got {temperature}.")
        device = generator.device
        centers = torch.empty(n_rules, n_features, device=device)
        self.n_design = n_rules * (n_features + 1)
        self.register_buffer("centers", centers.normal_(generator=generator))
        self.register_buffer("log_widths", torch.zeros_like(centers))
        self.register_buffer("log_temperature", torch.tensor(math.log(temperature), device=device))

    def forward(self, u: Tensor, measured: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Fire the rules.

        Parameters
        ----------
        u : Tensor of shape (..., n_features)
            Inputs in the dtype of the layer, finite where measured.
        measured : bool Tensor of the shape of `u`, default=None
            False where a feature is missing; its value in `u` (even NaN) is then not used and
            receives no gradient. Default: everything is measured.

        Returns
        -------
        firing : Tensor of shape (..., n_rules)
            Normalised firing strengths, summing to one over the rules.
        design : Tensor of shape (..., n_design)
            For each rule its firing strength times u, then its firing strength.

        Raises
        ------
        ValueError
            If the last dimension of `u` is not `n_features`, or `measured` has another shape.
        TypeError
            If `measured` is not boolean.
        """
        _check_input(u, measured, self.centers.shape[1])
        if measured is not None:
            u = torch.where(measured, u, 0.0)
        firing = torch.softmax(self._log_firing(u, measured), dim=-1)
        with_one = torch.cat([u, torch.ones_like(u[..., :1])], dim=-1)
        return firing, (firing.unsqueeze(-1) * with_one.unsqueeze(-2)).flatten(-2)

    def _log_firing(self, u: Tensor, measured: Tensor | None) -> Tensor:
        n_features = self.centers.shape[1]
        deviation = (u.unsqueeze(-2) - self.centers) * torch.exp(-self.log_widths)
        squares = deviation.square()
        if measured is None:
            mean_square = squares.mean(-1)
        else:
            present = measured.to(u.dtype)
            total = (squares * present.unsqueeze(-2)).sum(-1)
            mean_square = total / present.sum(-1, keepdim=True).clamp_min(1.0)
        # 1 / sqrt(d) times d times the mean over what is measured
        return -0.5 * math.sqrt(n_features) * self.log_temperature.exp() * mean_square

    def set_antecedents(self, centers: Tensor, widths: Tensor) -> None:
        """Copy a placement of the rules in, such as one from `stf2m_sk.fuzzy.place_rules`.

        Parameters
        ----------
        centers : Tensor or array of shape (n_rules, n_features)
            Centres, in the units of the input.
        widths : Tensor or array of shape (n_rules, n_features)
            Widths, all positive.

        Raises
        ------
        ValueError
            If a shape is not (n_rules, n_features), a value is not finite or a width not
            positive (in the dtype of the layer). Nothing is changed then.
        """
        new_centers = self._as_antecedent("centers", centers)
        new_widths = self._as_antecedent("widths", widths)
        if not (new_widths > 0).all():
            raise ValueError(
                f"widths must be positive in {new_widths.dtype}; the smallest is "
                f"{new_widths.min().item()}."
            )
        with torch.no_grad():
            self.centers.copy_(new_centers)
            self.log_widths.copy_(new_widths.log())

    def as_arrays(self, coefficients: Tensor) -> RuleBase:
        """Centres, widths, temperature and consequents, copied out as NumPy arrays.

        Parameters
        ----------
        coefficients : Tensor of shape (n_design, n_outputs)
            What the columns of the design were found to add to each output.

        Returns
        -------
        RuleBase
            In float64, on the CPU, whatever the layer is in.
        """

        def array(values: Tensor) -> NDArray[np.float64]:
            return values.detach().cpu().double().numpy().copy()

        consequents = coefficients.unflatten(0, (len(self.centers), -1)).transpose(1, 2)
        return RuleBase(
            array(self.centers),
            np.exp(array(self.log_widths)),
            float(np.exp(array(self.log_temperature))),
            array(consequents[..., :-1]),
            array(consequents[..., -1]),
        )

    def _as_antecedent(self, name: str, values: Tensor) -> Tensor:
        if isinstance(values, Tensor):
            values = values.detach().to(self.centers)
        else:  # a copy: torch shares memory with arrays, and warns of read-only ones
            values = torch.tensor(values, dtype=self.centers.dtype, device=self.centers.device)
        if values.shape != self.centers.shape:
            raise ValueError(
                f"{name} has shape {tuple(values.shape)}; expected (n_rules, n_features) = "
                f"{tuple(self.centers.shape)}."
            )
        if not values.isfinite().all():
            raise ValueError(f"{name} holds NaN or infinite values in {values.dtype}.")
        return values

    def extra_repr(self) -> str:
        """Sizes, for printing."""
        n_rules, n_features = self.centers.shape
        return f"n_features={n_features}, n_rules={n_rules}"


def _check_input(u: Tensor, measured: Tensor | None, n_features: int) -> None:
    if u.ndim == 0 or u.shape[-1] != n_features:
        raise ValueError(f"u has shape {tuple(u.shape)}; expected (..., {n_features}).")
    if measured is None:
        return
    if measured.dtype != torch.bool:
        raise TypeError(f"measured has dtype {measured.dtype}; expected torch.bool.")
    if measured.shape != u.shape:
        raise ValueError(
            f"measured has shape {tuple(measured.shape)}; expected that of u, {tuple(u.shape)}."
        )


def normalised_entropy(firing: Tensor) -> Tensor:
    """Mean entropy of the firing strengths, over that of rules that all fire equally.

    Near 0 one rule takes all for each input, near 1 the rules do not tell inputs apart; about
    0.5 to 0.9 was found useful.

    Parameters
    ----------
    firing : Tensor of shape (..., n_rules)
        Normalised firing strengths.

    Returns
    -------
    Tensor, scalar
        Entropy / log(n_rules), averaged over all leading dimensions; 0 for a single rule.

    Examples
    --------
    >>> import torch
    >>> from stf2m_sk.nn.rules import normalised_entropy
    >>> normalised_entropy(torch.tensor([[0.5, 0.5], [1.0, 0.0]]))
    tensor(0.5000)
    """
    # A single rule has entropy 0; log(2) keeps that from being 0 / 0.
    largest = math.log(max(firing.shape[-1], 2))
    # The floor keeps the gradient finite where a rule does not fire at all.
    log_firing = firing.clamp_min(torch.finfo(firing.dtype).tiny).log()
    return -(firing * log_firing).sum(-1).mean() / largest
