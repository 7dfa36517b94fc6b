"""The mean length of the sentences of each page, and the pages on which it is above 20 words.

Run it as ``python docs/_readability.py``. What is read is prose: code, tables, directives,
headings, equations and addresses are left out.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

LIMIT = 20
DOCS = Path(__file__).resolve().parent
GENERATED = {"_build", "_generated", "auto_examples", "project", "reference"}
FENCE = re.compile(r"^ *(```|~~~|:::).*?^ *\1 *$", re.MULTILINE | re.DOTALL)
EQUATION = re.compile(r"\$\$.*?\$\$", re.DOTALL)
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
NOT_PROSE = re.compile(r"^ *(\||#|>|\(.*\)=$|---).*$", re.MULTILINE)
ITEM = re.compile(r"^ *([-*]|\d+\.|:) +", re.MULTILINE)
LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
CODE = re.compile(r"`[^`]*`|\$[^$]*\$")
END = re.compile(r"(?<=[.!?:])[\"')*]* +(?=[\"'(*]*[A-Z0-9`])")
WORD = re.compile(r"\w[\w'’.,-]*")


def pages() -> list[Path]:
    """The pages written by hand, README first."""
    own = (path for path in DOCS.rglob("*.md") if not GENERATED & set(path.parent.parts))
    return [DOCS.parent / "README.md", *sorted(own)]


def sentences(text: str) -> list[str]:
    """The sentences of a page's prose.

    Parameters
    ----------
    text : str
        Markdown.

    Returns
    -------
    list of str
        An item of a list is a sentence too; what has no word is left out.
    """
    text = text.removeprefix("\ufeff")
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
    for pattern in (COMMENT, FENCE, EQUATION, NOT_PROSE):
        text = pattern.sub("\n", text)
    text = LINK.sub(r"\1", CODE.sub("code", ITEM.sub("\n\n", text)))
    paragraphs = (" ".join(part.split()) for part in re.split(r"\n\s*\n", text))
    found = (sentence for part in paragraphs for sentence in END.split(part))
    return [sentence for sentence in found if WORD.search(sentence)]


def mean_length(text: str) -> float:
    """Mean number of words of a sentence; 0.0 on a page without prose."""
    lengths = [len(WORD.findall(sentence)) for sentence in sentences(text)]
    return sum(lengths) / len(lengths) if lengths else 0.0


def main() -> int:
    """Print the table; return 1 where a page is above the limit."""
    found = {path: mean_length(path.read_text(encoding="utf-8")) for path in pages()}
    for path, length in sorted(found.items(), key=lambda item: -item[1]):
        mark = "  above the limit" if length > LIMIT else ""
        print(f"{length:5.1f}  {path.relative_to(DOCS.parent)}{mark}")
    return int(max(found.values()) > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
