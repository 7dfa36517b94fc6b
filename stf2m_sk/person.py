"""What a person has shown: labelled clips, and the mean of unlabelled ones."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

__all__ = ["PersonMean", "Support", "join_labels"]


class Support(NamedTuple):
    """Labelled clips of a person.

    Attributes
    ----------
    features : float array of shape (n_support, n_features)
        Their features, in the dtype of the clips.
    labels : array of shape (n_labels,)
        Labels that occur, sorted.
    shares : sparse float64 array of shape (n_support, n_labels)
        Shares of these in each clip; a clip with one label has one entry, so that thousands of
        labels cost no memory.
    """

    features: NDArray[np.floating]
    labels: NDArray
    shares: csr_array

    @classmethod
    def labelled(cls, features: NDArray[np.floating], labels: NDArray) -> Support:
        """Clips with one label each."""
        names, codes = np.unique(labels, return_inverse=True)
        places = np.arange(len(codes)), codes
        return cls(features, names, csr_array((np.ones(len(codes)), places), _shape(codes, names)))

    def shares_of(self, classes: NDArray) -> NDArray[np.float64]:
        """Shares of sorted classes that cover the labels, (n_support, n_classes)."""
        return self._among(classes).toarray()

    def first_labels(self) -> NDArray[np.intp]:
        """Place of each clip's largest share among `labels`, (n_support,)."""
        return np.ravel(self.shares.argmax(axis=1))  # SciPy 1.13 gives it a second axis

    def joined(self, other: Support | None) -> Support:
        """Both together, in an order that does not depend on the order of arrival.

        Sums over a support are then the same, to the last bit, in whatever parts it came.
        """
        both = self
        if other is not None:
            labels = np.unique(join_labels([other.labels, self.labels]))
            features = np.concatenate([other.features, self.features])
            shares = vstack([other._among(labels), self._among(labels)], format="csr")
            both = Support(features, labels, shares)
        # Any order will do that the clips alone decide. The first value and the sum are quickly
        # compared, and rounding hardly moves them.
        codes = both.first_labels()
        order = np.lexsort([both.features.sum(axis=1), both.features[:, 0], codes])
        return Support(both.features[order], both.labels, both.shares[order])

    def _among(self, classes: NDArray) -> csr_array:
        own, place = self.shares, np.searchsorted(classes, self.labels)
        parts = own.data, place[own.indices], own.indptr
        return csr_array(parts, _shape(self.features, classes))


def _shape(clips: NDArray, labels: NDArray) -> tuple[int, int]:
    return len(clips), len(labels)


class PersonMean(NamedTuple):
    """Unlabelled clips of a person, as far as they count.

    Attributes
    ----------
    features : float64 array of shape (n_features,)
        Their mean features.
    n_clips : int
        Their number.
    """

    features: NDArray[np.float64]
    n_clips: int


def join_labels(parts: list[NDArray]) -> NDArray:
    """Concatenate labels without changing what they are.

    Parameters
    ----------
    parts : list of array
        Labels.

    Returns
    -------
    array
        All of them.

    Raises
    ------
    TypeError
        If text would be joined with numbers: NumPy would turn the numbers into text.
    """
    values = [value for part in parts for value in part.tolist()]
    if len({isinstance(value, str) for value in values}) > 1:
        kinds = " and ".join(sorted({str(part.dtype) for part in parts}))
        raise TypeError(f"Labels of {kinds} cannot be mixed; give all as text or all as numbers.")
    joined = np.concatenate(parts)
    # NumPy turns large integers into floats when it joins them with some other types.
    return joined if joined.tolist() == values else np.array(values, dtype=object)
