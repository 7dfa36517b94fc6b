"""Where pattern rules lie: c-means on windows of training clips."""

from __future__ import annotations

import logging

import numpy as np
import torch
from torch import Tensor

from stf2m_sk.fuzzy._placement import cluster, safe_fuzzifier
from stf2m_sk.nn.patterns import PatternRules

__all__ = ["place_patterns"]

_LOG = logging.getLogger("stf2m_sk")
_MOST_WINDOWS = 1000  # of a group
_MAX_ITER, _TOL, _STARTS = 30, 1e-3, 2


def place_patterns(
    rules: PatternRules,
    signal: Tensor,
    frames: Tensor,
    random_state: np.random.RandomState,
    *,
    initialisation: str = "c-means",
) -> None:
    """Set the prototypes of pattern rules, group by group.

    Parameters
    ----------
    rules : PatternRules
        Calibrated; its prototypes are set in place.
    signal : Tensor of shape (n_clips, n_channels, n_frames)
        Standardised training signal; 200 clips are plenty.
    frames : Tensor of shape (n_clips, n_frames)
        1 for a measured frame, 0 for one that is not.
    random_state : numpy.random.RandomState
        Source of windows and start centres.
    initialisation : {"c-means", "k-means", "random"}, default="c-means"
        How prototypes are found; see `stf2m_sk.fuzzy.place_rules`.

    Notes
    -----
    Groups in which c-means collapses are placed by k-means; the logger `stf2m_sk` says how many,
    at level INFO.

    Prototypes are placed with a fuzzifier that falls with the dimension of the windows
    (`stf2m_sk.fuzzy.place_rules`): with that of the memberships, 1.5, c-means would draw them
    together. Windows that are the same count once: flat stretches would draw several prototypes.
    A group with fewer distinct windows than prototypes repeats them: rules that are the
    same share their membership. Without a measured frame prototypes stay 0.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from stf2m_sk.fuzzy import place_patterns
    >>> from stf2m_sk.nn.patterns import PatternRules
    >>> generator = torch.Generator().manual_seed(0)
    >>> rules = PatternRules(1, 40, n_groups=2, n_prototypes=3, generator=generator)
    >>> signal, frames = torch.randn(20, 1, 40, generator=generator), torch.ones(20, 40)
    >>> rules.calibrate(signal, frames)
    >>> place_patterns(rules, signal, frames, np.random.RandomState(0))
    >>> rules.prototypes.shape  # groups, rules of a group, channels, taps
    torch.Size([2, 3, 1, 9])
    """
    n_prototypes = rules.prototypes.shape[1]
    n_collapsed = 0
    for group, own in enumerate(rules.windows(signal, frames)):
        windows = own.double().cpu().numpy()
        if not len(windows):
            continue
        windows = windows[random_state.permutation(len(windows))[:_MOST_WINDOWS]]
        windows = np.unique(windows, axis=0)
        if len(windows) <= n_prototypes:
            centres = windows[np.arange(n_prototypes) % len(windows)]
        else:
            found = cluster(
                windows,
                n_prototypes,
                safe_fuzzifier(*windows.shape),
                initialisation,
                _MAX_ITER,
                _TOL,
                random_state,
                _STARTS,
            )
            centres = found.centers
            n_collapsed += bool(found.collapsed)
        rules.place(group, torch.from_numpy(centres).to(rules.prototypes))
    if n_collapsed:
        _LOG.info(
            "%d of %d groups of pattern rules have prototypes of k-means: fuzzy c-means drew "
            "theirs together; memberships are fuzzy all the same",
            n_collapsed,
            len(rules.groups),
        )
