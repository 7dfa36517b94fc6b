"""Views: clips recorded in several modalities, held together for scikit-learn."""

from stf2m_sk.views._container import Views
from stf2m_sk.views._conversion import as_views
from stf2m_sk.views._schema import Modality, ViewSchema

__all__ = ["Modality", "ViewSchema", "Views", "as_views"]
