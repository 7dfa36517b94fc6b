"""WebVTT, SRT and ELAN files, read back by other readers and by hand."""

import io
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stf2m_sk.recordings._subtitle_export import Cue, elan, srt, webvtt

CUES = st.lists(
    st.tuples(st.integers(-5000, 20_000_000), st.integers(1, 90_000), st.text(max_size=20)),
    max_size=6,
).map(
    lambda parts: [
        Cue(start / 1000, (start + length) / 1000, text) for start, length, text in sorted(parts)
    ]
)
CLOCK = re.compile(r"(\d\d+):([0-5]\d):([0-5]\d)([.,])(\d\d\d)")


def milliseconds(clock, point):
    hours, minutes, seconds, found, rest = CLOCK.fullmatch(clock).groups()
    assert found == point
    return ((int(hours) * 60 + int(minutes)) * 60 + int(seconds)) * 1000 + int(rest)


def blocks(text, point):
    """Times and text of each cue, by the grammar: blank lines part blocks."""
    found = []
    for block in filter(None, text.strip("\n").split("\n\n")):
        number, times, shown = block.split("\n")
        start, end = times.split(" --> ")
        assert number == str(len(found) + 1)
        found.append((milliseconds(start, point), milliseconds(end, point), shown))
    return found


def expected_times(cues):
    times = [(max(0, round(c.start * 1000)), round(c.end * 1000)) for c in cues]
    return [time for time in times if time[1] > time[0]]


class TestSubtitles:
    @given(cues=CUES)
    @settings(max_examples=100, deadline=None)
    def test_any_text_gives_files_that_can_be_read(self, cues):
        head, _, body = webvtt(cues).partition("\n")
        assert head == "WEBVTT"
        for found, mark in ((blocks(body, "."), "<"), (blocks(srt(cues), ","), "<")):
            assert [cue[:2] for cue in found] == expected_times(cues)
            assert all("-->" not in cue[2] and mark not in cue[2] for cue in found)

    def test_webvtt_is_escaped(self):
        assert blocks(webvtt([Cue(0, 1, "joy <i> & --> \n awe")])[7:], ".") == [
            (0, 1000, "joy &lt;i&gt; &amp; -&gt; awe")
        ]

    def test_hours_go_on_beyond_a_day(self):
        assert "100:00:00.000 --> 100:00:01.500" in webvtt([Cue(360_000, 360_001.5, "joy")])

    def test_another_reader_agrees(self):
        reader = pytest.importorskip("webvtt")
        cues = [Cue(0.25, 61.5, "joy & awe"), Cue(61.5, 3700, "fear")]
        for text, read in ((webvtt(cues), reader.from_buffer), (srt(cues), reader.from_buffer)):
            file_format = "vtt" if text.startswith("WEBVTT") else "srt"
            found = [(c.start, c.end) for c in read(io.StringIO(text), format=file_format)]
            assert found == [("00:00:00.250", "00:01:01.500"), ("00:01:01.500", "01:01:40.000")]


class TestElan:
    def document(self, text):
        return ElementTree.fromstring(text.encode("utf-8"))

    def read(self, root, tier):
        """Annotations of a tier, followed through the time slots as ELAN does."""
        slots = {s.get("TIME_SLOT_ID"): int(s.get("TIME_VALUE")) for s in root.iter("TIME_SLOT")}
        return [
            (slots[a.get("TIME_SLOT_REF1")], slots[a.get("TIME_SLOT_REF2")], a[0].text)
            for a in root.find(f"TIER[@TIER_ID='{tier}']").iter("ALIGNABLE_ANNOTATION")
        ]

    @given(cues=CUES)
    @settings(max_examples=50, deadline=None)
    def test_any_text_gives_a_document_by_the_schema(self, cues):
        root = self.document(elan({"emotion": cues, "certainty": cues}))
        assert [child.tag for child in root] == [
            "HEADER",
            "TIME_ORDER",
            "TIER",
            "TIER",
            "LINGUISTIC_TYPE",
        ]
        assert {"AUTHOR", "DATE", "FORMAT", "VERSION"} <= set(root.attrib)
        assert root.find("HEADER").get("TIME_UNITS") == "milliseconds"
        values = [int(slot.get("TIME_VALUE")) for slot in root.iter("TIME_SLOT")]
        assert values == sorted(values)
        names = [e.get("ANNOTATION_ID") for e in root.iter("ALIGNABLE_ANNOTATION")]
        names += [e.get("TIME_SLOT_ID") for e in root.iter("TIME_SLOT")]
        assert len(set(names)) == len(names)  # one space of xsd:ID
        types = {e.get("LINGUISTIC_TYPE_ID") for e in root.iter("LINGUISTIC_TYPE")}
        assert {tier.get("LINGUISTIC_TYPE_REF") for tier in root.iter("TIER")} == types
        found = self.read(root, "emotion")
        assert [cue[:2] for cue in found] == expected_times(cues)

    def test_text_is_kept(self):
        root = self.document(elan({"emotion": [Cue(1, 2, 'joy <3 & "awe"')]}))
        assert self.read(root, "emotion") == [(1000, 2000, 'joy <3 & "awe"')]

    def test_media_are_named_where_they_are_and_beside_the_file(self, tmp_path):
        film = tmp_path / "a film.MP4"
        media = self.document(elan({}, str(film))).find("HEADER/MEDIA_DESCRIPTOR").attrib
        assert media == {
            "MEDIA_URL": film.as_uri(),
            "RELATIVE_MEDIA_URL": "./a%20film.MP4",
            "MIME_TYPE": "video/mp4",
        }
        media = self.document(elan({}, "https://x.org/a.wav")).find("HEADER/MEDIA_DESCRIPTOR")
        assert media.attrib == {"MEDIA_URL": "https://x.org/a.wav", "MIME_TYPE": "audio/x-wav"}

    def test_equal_timelines_give_equal_files(self):
        tiers = {"emotion": [Cue(0, 1, "joy")]}
        assert elan(tiers) == elan(tiers)
        assert 'DATE="2026-01-02T03:04:05Z"' in elan(tiers, date="2026-01-02T03:04:05Z")
