"""Tables of HTML, and what they say of a modality."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stf2m_sk.views._schema import Modality

HEADS = ("modality", "channels", "time steps", "rate")


def cells(modality: Modality) -> tuple[str, ...]:
    """Return what stands below `HEADS`."""
    channels = str(modality.n_channels)
    if modality.channel_names is not None:
        channels += f" ({', '.join(modality.channel_names)})"
    rate = "unknown" if modality.rate is None else f"{modality.rate:g} Hz"
    return modality.name, channels, str(modality.n_timesteps), rate


def table(caption: str, heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a small table; texts are escaped."""
    body = "".join(f"<tr>{_tagged('td', row)}</tr>" for row in rows)
    return (
        f"<table><caption>{escape(caption)}</caption>"
        f"<thead><tr>{_tagged('th', heads)}</tr></thead><tbody>{body}</tbody></table>"
    )


def _tagged(tag: str, texts: Iterable[str]) -> str:
    return "".join(f"<{tag}>{escape(text)}</{tag}>" for text in texts)
