"""From scores by the rules to logits: what networks say is read, and doubt flattens."""

from __future__ import annotations

from torch import Tensor

from stf2m_sk.nn.population import Numbers

__all__ = ["logits", "network_weight", "read_networks"]


def read_networks(
    means: Tensor, variances: Tensor, scores: Tensor, numbers: Numbers
) -> tuple[Tensor, Tensor]:
    """Condition the scores of clips on what networks say of the same clips.

    Parameters
    ----------
    means, variances : Tensor of shape (..., n_classes)
        Of the scores; variances may lack the last axis's extent.
    scores : Tensor of shape (..., n_classes)
        Of the networks.
    numbers : Numbers
        Of the model.

    Returns
    -------
    means, variances : Tensor of shape (..., n_classes)
        The less the rules know of a clip's scores, the more the networks count.

    Notes
    -----
    Ours: a Kalman update by an observation ``network_gain * scores`` with the noise variance
    ``network_noise``.

    Examples
    --------
    >>> import torch
    >>> from stf2m_sk.nn.population import Numbers
    >>> from stf2m_sk.nn.readout import read_networks
    >>> numbers = Numbers(0.5, 16.0, 10.0, 3.0, 1.0, network_gain=2.0, network_noise=1.0)
    >>> read_networks(torch.zeros(1), torch.ones(1), torch.ones(1), numbers)
    (tensor([1.]), tensor([0.5000]))
    """
    weight = network_weight(variances, numbers)
    means = means + weight * (numbers.network_gain * scores - means)
    return means, (1.0 - weight) * variances.clamp_min(0.0)


def network_weight(variances: Tensor, numbers: Numbers) -> Tensor:
    """Share of the networks in the scores of clips.

    Parameters
    ----------
    variances : Tensor
        Of the scores by the rules alone.
    numbers : Numbers
        Of the model.

    Returns
    -------
    Tensor of the shape of `variances`
        In [0, 1): the Kalman gain of `read_networks`.
    """
    variances = variances.clamp_min(0.0)
    return variances / (variances + numbers.network_noise)


def logits(means: Tensor, variances: Tensor, temperature, variance_factor) -> Tensor:
    """Logits of probabilities: scores, flattened where they are uncertain.

    Parameters
    ----------
    means, variances : Tensor of one shape
        Of the scores.
    temperature, variance_factor : float or Tensor
        T and kappa.

    Returns
    -------
    Tensor
        T f / sqrt(1 + kappa v), the probit approximation of a logistic regression's average
        over a Gaussian (MacKay 1992).
    """
    return temperature * means / (1.0 + variance_factor * variances.clamp_min(0.0)).sqrt()
