import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stf2m_sk.recordings import RecordingError, RecordingWarning
from stf2m_sk.recordings._subtitles import read_subtitles

SRT = """1
00:00:01,000 --> 00:00:03,000
so <i>well</i> it
goes

2
00:00:04,500 --> 00:00:05,000 X1:40
{\\an8}yes
"""
VTT = """WEBVTT - a talk

NOTE
not said --> 00:01

STYLE
::cue { color: red }

intro
00:01.000 --> 00:03.000 align:start position:10%
<v Anna>so <c.loud>well</c> it
goes

00:00:04.500 --> 00:00:05.000
<00:00:04.600>yes
"""
WORDS = ["", "so well", "it goes", "", "yes"]


@pytest.fixture
def write(tmp_path):
    def write(text, name="talk.srt", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return path

    return write


def words(path, **arguments):
    signal = read_subtitles(path, **arguments)["text"]
    assert signal.values.shape[0] == 1
    assert (signal.rate, signal.start, signal.values.dtype) == (1, 0, object)
    return signal.values[0].tolist()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (SRT, "a.srt"),
        (VTT, "a.vtt"),
        (SRT.replace("\n", "\r\n"), "a.srt"),
        (VTT.replace("\n", "\r"), "a.vtt"),
        ("\ufeff" + SRT, "a.srt"),
        ("\ufeff" + VTT, "a.vtt"),
        (SRT.replace("00:00:0", "00:0").replace(",", "."), "a.txt"),
        (SRT.replace("\n\n", "\n\n\n \n"), "a.srt"),
        (SRT.replace("1\n00", "00").replace("2\n00", "00"), "a.srt"),
    ],
)
def test_words_are_spread_over_the_seconds_of_their_cue(write, text, name):
    assert words(write(text, name)) == WORDS


def test_name_and_person_are_kept(write):
    recording = read_subtitles(write(SRT), person="Anna")
    assert (recording.name, recording.person, recording.annotations) == ("talk", "Anna", None)


def test_beyond_the_last_cue_nothing_is_known(write):
    signal = read_subtitles(write(SRT))["text"]
    assert signal.read(4, 7).tolist() == [["yes", None, None]]


def test_entities_are_characters(write):
    text = "WEBVTT\n\n00:00.000 --> 00:01.000\nAT&amp;T &lt;3 caf\u00e9\n"
    assert words(write(text)) == ["AT&T <3 caf\u00e9"]


def test_hours_and_long_cues(write):
    found = words(write("01:00:00,000 --> 01:00:04,000\na b\n"))
    assert len(found) == 3604
    assert found[3600:] == ["", "a", "", "b"]


def test_overlapping_cues_are_read_in_the_order_of_time(write):
    text = "00:00:00,000 --> 00:00:01,000\na c\n\n00:00:00,400 --> 00:00:00,600\nb\n"
    assert words(write(text)) == ["a b c"]


def test_other_encodings_are_named_and_read_on_request(write):
    path = write(SRT.replace("yes", "\u00fcber"), encoding="cp1252")
    with pytest.raises(RecordingError, match=r"talk\.srt: cannot be read .*give its encoding="):
        read_subtitles(path)
    assert words(path, encoding="cp1252")[-1] == "\u00fcber"


@given(
    st.lists(st.lists(st.sampled_from(["so", "it", "goes"]), max_size=9), min_size=1, max_size=9)
)
def test_no_word_is_lost_and_none_changes_its_place(tmp_path_factory, cues):
    path = tmp_path_factory.mktemp("srt") / "a.srt"
    path.write_text(
        "".join(
            f"{i}\n00:00:{2 * i:02},000 --> 00:00:{2 * i + 2:02},000\n{' '.join(cue)}\n\n"
            for i, cue in enumerate(cues)
        )
    )
    with pytest.warns(RecordingWarning) if not cues[-1] else pytest.MonkeyPatch.context():
        found = words(path)
    for i, cue in enumerate(cues):
        assert " ".join(found[2 * i : 2 * i + 2]).split() == cue


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("", "a.srt", r"a\.srt: the file is empty"),
        ("\n\n", "a.srt", r"a\.srt: holds no cue"),
        ("WEBVTT\n\n", "a.vtt", r"a\.vtt: holds no cue"),
        (SRT, "a.vtt", r"a\.vtt, line 1: expected 'WEBVTT', got '1'"),
        (SRT.replace("04,500", "04;500"), "a.srt", r"a\.srt, line 7: expected the times of a cue"),
        (SRT.replace("00:00:04,500 -->", "00:00:04,500"), "a.srt", "line 7: expected the times"),
        (SRT.replace("00:00:04", "00:61:04"), "a.srt", "line 7: expected the times"),
        (SRT.replace("05,000", "04,000"), "a.srt", "line 7: the cue ends at 4 s, before 4.5 s"),
        (SRT.replace("04,5", "00,5"), "a.srt", r"line 7: the cue starts at 0\.5 s, before .*1 s"),
        (
            SRT.replace("goes\n\n2\n", "goes\n2\n"),
            "a.srt",
            "line 6: times within the text of a cue",
        ),
        (SRT.replace("well", "we\n\nll"), "a.srt", "line 5: expected the times of a cue"),
        ("hello\n", "a.srt", "line 1: expected the times of a cue, such as"),
    ],
)
def test_damaged_files_name_path_and_line(write, text, name, message):
    with pytest.raises(RecordingError, match=message):
        read_subtitles(write(text, name))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SRT[:-2], "the last row does not end with a line break"),
        (SRT[: SRT.index("{")], "the last cue has no words"),
    ],
)
def test_signs_that_the_file_was_cut_are_told(write, text, message):
    with pytest.warns(RecordingWarning, match=message):
        read_subtitles(write(text))


def test_agrees_with_webvtt_py(write):
    webvtt = pytest.importorskip("webvtt", reason="webvtt-py is the reference of this test")
    path = write(VTT, "a.vtt")
    for caption in webvtt.read(path):
        start, end = int(caption.start_in_seconds), int(np.ceil(caption.end_in_seconds))
        assert " ".join(words(path)[start:end]).split() == caption.text.split()
