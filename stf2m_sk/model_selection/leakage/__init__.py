"""What leaks from the training side of a split into the test side, and what it is worth."""

from stf2m_sk.model_selection.leakage._report import Leak, LeakageReport, leakage_report

__all__ = ["Leak", "LeakageReport", "leakage_report"]
