#!/usr/bin/env python3
"""The licences of what is installed with the package and its extras, as a page.

In an environment with ".[audio,video,text,physio,plot]": `python .ci/licences.py > LICENCES.md`.
"""

from importlib.metadata import Distribution, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

EXTRAS = ("audio", "video", "text", "physio", "plot")
COPYLEFT = ("GPL", "MPL", "EPL", "CDDL")
# The wheels for Linux of media packages carry libraries that their metadata does not name. Looked
# up by hand in the wheels of constraints.txt.
WITHIN = {
    "av": "FFmpeg (LGPL-3.0-or-later), linked with x264 and x265 (GPL-2.0-or-later)",
    "opencv-python-headless": "FFmpeg (LGPL-2.1-or-later)",
    "soundfile": "libsndfile (LGPL-2.1-or-later), LAME (LGPL-2.0-or-later)",
}
# Where the metadata states none.
BY_ITS_FILE = {"scikit-fuzzy": "BSD-3-Clause"}
NOT_STATED = "not stated"
PAGE = """\
# Licences of what is installed with stf2m_sk

`python .ci/licences.py` writes this page from the metadata of what is installed: versions of
`constraints.txt`, Linux, Python 3.11. It is a list to start from, not legal advice. stf2m_sk itself
holds none of these packages: pip fetches them, and each keeps its own licence.

{alone}

- **LGPL** (`soxr`; FFmpeg in `av` and `opencv-python-headless`; libsndfile in `soundfile`):
  software under any licence may use them. If you pass them on, pass on their licence, say where
  their source is, and let the recipient replace the library.
- **GPL** (x264 and x265 in the wheel of `av`): to use it yourself asks nothing of you. If you pass
  the wheel of `av` on within a product, the terms of the GPL hold for what you pass on with it.
  Leave out `[video]`, or build `av` against an FFmpeg without them.
- **GCC's runtime** (libgomp, libgfortran in the wheels of NumPy, SciPy, scikit-learn and torch):
  under the GPL with an exception that allows any use by compiled programs. It is not in the table.
- **MPL-2.0** (`certifi`, `tqdm`): changed files of theirs stay under the MPL. That is all it asks.

{unknown}

| package | version | asked for by | licence | copyleft within |
|---|---|---|---|---|
{rows}
"""


def installed() -> dict[str, tuple[Distribution, set[str]]]:
    """Every distribution that the package needs, and who asks for it: "core" or an extra."""
    found: dict[str, tuple[Distribution, set[str]]] = {}
    seen = set()

    def add(needed: Requirement, asked_by: str) -> None:
        step = canonicalize_name(needed.name), asked_by, frozenset(needed.extras)
        if step in seen:
            return
        seen.add(step)
        of, askers = found.setdefault(step[0], (distribution(needed.name), set()))
        askers.add(asked_by)
        for further in needs(of, "", *needed.extras):
            add(further, asked_by)

    package = distribution("stf2m_sk")
    core = needs(package, "")
    for needed in core:
        add(needed, "core")
    for extra in EXTRAS:
        for needed in set(needs(package, extra)) - set(core):
            add(needed, f"[{extra}]")
    return found


def needs(of: Distribution, *extras: str) -> list[Requirement]:
    """What a distribution requires with some of its extras; "" is none."""
    required = map(Requirement, of.requires or ())
    return [
        needed
        for needed in required
        if not needed.marker or any(needed.marker.evaluate({"extra": extra}) for extra in extras)
    ]


def licence_of(name: str, of: Distribution) -> str:
    """By the metadata: its expression, else a text of one line, else its classifiers."""
    expression, text = of.metadata.get("License-Expression"), of.metadata.get("License", "").strip()
    if expression or (text and "\n" not in text):
        return expression or text
    classifiers = of.metadata.get_all("Classifier") or []
    stated = [line.split(" :: ")[-1] for line in classifiers if line.startswith("License ::")]
    by_its_file = [f"{BY_ITS_FILE[name]} (by its file)"] if name in BY_ITS_FILE else []
    return ", ".join(stated or by_its_file) or NOT_STATED


def page() -> str:
    """The page, a row for each distribution."""
    found = sorted(installed().items())
    licences = {name: licence_of(name, of) for name, (of, _) in found}
    rows = [
        f"| {name} | {of.version} | {askers_of(askers)} | {licences[name]} "
        f"| {WITHIN.get(name, '')} |"
        for name, (of, askers) in found
    ]
    copyleft = sorted(
        name
        for name in licences
        if any(word in licences[name] + WITHIN.get(name, "") for word in COPYLEFT)
    )
    unknown = [name for name in licences if licences[name] == NOT_STATED]
    return PAGE.format(
        alone=f"Copyleft, in whole or in part:\n{listed(copyleft)}.\nWhat that means for you:",
        unknown=f"Without a licence in their metadata: {listed(unknown)}.",
        rows="\n".join(rows),
    )


def askers_of(askers: set[str]) -> str:
    """In the order of EXTRAS; what the core needs is needed by all."""
    return "core" if "core" in askers else ", ".join(f"[{e}]" for e in EXTRAS if f"[{e}]" in askers)


def listed(names: list[str]) -> str:
    """As code, in a line."""
    return ", ".join(f"`{name}`" for name in names) or "none"


if __name__ == "__main__":
    print(page(), end="")
