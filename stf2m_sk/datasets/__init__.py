"""Data to begin with: a bundled recording, a generator with a known truth, your own arrays."""

from stf2m_sk.datasets._generator import make_emotion_views
from stf2m_sk.datasets._npz import load_npz
from stf2m_sk.datasets._stress import load_stress

__all__ = ["load_npz", "load_stress", "make_emotion_views"]
