"""Principal components of features, and what they leave out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["Components"]


class Components(nn.Module):
    """Features in the directions in which training clips spread most, and the rest of them.

    Parameters
    ----------
    n_features : int
        Features.
    n_components : int
        Directions kept; where the clips span fewer, the others stay 0.

    Attributes
    ----------
    mean, scale : Buffer of shape (n_features,)
        Of a feature: standard = (feature - mean) * scale.
    directions : Buffer of shape (n_features, n_components)
        Orthonormal, to half precision.

    Notes
    -----
    Of what lies outside of the training clips' span the clips say nothing, which is not to say
    that it means nothing: a class that none of them has may differ from them just there.
    `novelty` keeps it, and costs no memory of its own in a model.

    Examples
    --------
    >>> import torch
    >>> from stf2m_sk.nn.components import Components
    >>> features = torch.randn(20, 6, generator=torch.Generator().manual_seed(0))
    >>> components = Components(6, 2)
    >>> components.calibrate(features, torch.ones(6))
    >>> standard = components.standardise(features)
    >>> parts = components.project(standard)
    >>> novelty = components.novelty(standard, parts)
    >>> (novelty @ components.directions).abs().max() < 1e-2
    tensor(True)
    """

    def __init__(self, n_features: int, n_components: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_features))
        self.register_buffer("scale", torch.ones(n_features))
        self.register_buffer("directions", torch.zeros(n_features, n_components))

    @torch.no_grad()
    def calibrate(self, features: Tensor, weight: Tensor) -> None:
        """Take means, directions and scale from training clips.

        Parameters
        ----------
        features : Tensor of shape (n_clips, n_features)
            NaN where a clip lacks the modality: such a clip says nothing of those features,
            neither of their mean nor, standing at the mean as it does afterwards, of the
            directions.
        weight : Tensor of shape (n_features,)
            Factor of each feature. All are then scaled alike, so that the clips' projections
            have a mean length of 1.
        """
        mean = features.nanmean(0).nan_to_num()
        centred = ((features - mean) * weight).nan_to_num()
        tall = len(centred) > centred.shape[1]
        # A triangular factor of a tall matrix has its right singular vectors.
        matrix = torch.linalg.qr(centred, mode="r").R if tall else centred
        _, spread, rows = torch.linalg.svd(matrix, full_matrices=False)
        # Beyond the rank of the clips directions are whatever rounding makes of them.
        negligible = max(matrix.shape) * torch.finfo(spread.dtype).eps * spread.norm()
        directions = torch.where(spread > negligible, rows.T, 0.0)
        directions = directions[:, : self.directions.shape[1]]
        length = (centred @ directions).norm(dim=1).mean()
        length = torch.where(length > 1e-6, length, 1.0)  # clips that are all alike
        self.mean.copy_(mean)
        self.scale.copy_(weight / length)
        self.directions.zero_()
        # Half precision is exact enough for random features, and halves a saved model.
        self.directions[:, : directions.shape[1]] = directions.half().to(directions.dtype)

    def standardise(self, features: Tensor, rows: slice = slice(None)) -> Tensor:
        """Centred and scaled features, all of them or those in `rows`."""
        return (features - self.mean[rows]) * self.scale[rows]

    def project(self, standard: Tensor, rows: slice = slice(None)) -> Tensor:
        """Components (n_clips, n_components) of standard features (n_clips, n_rows)."""
        return standard @ self.directions[rows]

    def novelty(self, standard: Tensor, parts: Tensor) -> Tensor:
        """What the components leave out of all standard features: (n_clips, n_features)."""
        return standard - parts @ self.directions.T
