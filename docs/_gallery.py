"""The order of the examples in the gallery: first what a newcomer looks for."""

from __future__ import annotations

ORDER = (
    "plot_quickstart.py",
    "plot_unlabelled.py",
    "plot_new_emotion.py",
    "plot_e4_timeline.py",
    "plot_voice.py",
    "plot_video.py",
    "plot_rules.py",
    "plot_explain.py",
    "plot_missing_modality.py",
    "plot_pipeline_grid.py",
    "plot_other_models.py",
    "plot_soft_labels.py",
    "plot_leaks.py",
)


class Order:
    """Key by which sphinx-gallery sorts file names."""

    def __init__(self, src_dir: str) -> None:
        self.src_dir = src_dir

    def __call__(self, filename: str) -> int:
        return ORDER.index(filename)
