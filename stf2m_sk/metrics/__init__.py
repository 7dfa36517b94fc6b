"""Metrics of probabilities and of soft labels that scikit-learn has not."""

from stf2m_sk.metrics._probabilities import LOWER_IS_BETTER, METRICS, expected_calibration_error
from stf2m_sk.metrics._soft_labels import soft_label_agreement, soft_label_cross_entropy

__all__ = [
    "LOWER_IS_BETTER",
    "METRICS",
    "expected_calibration_error",
    "soft_label_agreement",
    "soft_label_cross_entropy",
]
