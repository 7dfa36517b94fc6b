"""Explanations as tables in a notebook."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stf2m_sk.inspection._explanation import Explanation

__all__ = ["html_table"]

_MOST_CLIPS = 10


def html_table(explanation: Explanation) -> str:
    """A row for each of the first clips: the terms of its most probable emotion, or of the pair.

    Parameters
    ----------
    explanation : Explanation
        Of `explain`.

    Returns
    -------
    str
        HTML.
    """
    heads = ("clip", "emotion", *explanation.modalities, "person", "networks", "priors", "sum")
    n_clips = len(explanation)
    shown = range(min(n_clips, _MOST_CLIPS))
    body = "".join(f"<tr>{_tagged('td', _cells(explanation, clip))}</tr>" for clip in shown)
    count = "1 clip" if n_clips == 1 else f"{n_clips} clips"
    more = f", the first {_MOST_CLIPS}" if n_clips > _MOST_CLIPS else ""
    caption = f"Contributions to logits, relative to the {explanation.relative_to}: {count}{more}"
    return (
        f"<table><caption>{escape(caption)}</caption>"
        f"<thead><tr>{_tagged('th', heads)}</tr></thead><tbody>{body}</tbody></table>"
    )


def _cells(explanation: Explanation, clip: int) -> tuple[str, ...]:
    place = int(explanation.total[clip].argmax())
    terms = [
        *explanation.by_modality[clip, place],
        explanation.by_person[clip, place],
        explanation.by_networks[clip, place],
        explanation.by_prior[clip, place],
        explanation.total[clip, place],
    ]
    return str(clip), str(explanation.names[place]), *(f"{value:+.2f}" for value in terms)


def _tagged(tag: str, texts: tuple[str, ...]) -> str:
    return "".join(f"<{tag}>{escape(text)}</{tag}>" for text in texts)
