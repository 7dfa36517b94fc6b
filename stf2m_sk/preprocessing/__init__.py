"""Steps before a classifier: transformers that keep the form of X, from Views to a table."""

from stf2m_sk.preprocessing._resampler import ViewResampler
from stf2m_sk.preprocessing._scaler import ViewScaler
from stf2m_sk.preprocessing._selector import ViewSelector

__all__ = ["ViewResampler", "ViewScaler", "ViewSelector"]
