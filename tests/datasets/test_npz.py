"""load_npz: the layout it reads, and the exact words with which it refuses everything else."""

import re
import zipfile

import numpy as np
import pytest

from stf2m_sk.datasets import load_npz


@pytest.fixture
def save(tmp_path):
    """Write arrays over a small valid recording; a value of None leaves the array out."""

    def write(**changes):
        arrays = {
            "eda": np.arange(12, dtype=np.float32).reshape(3, 1, 4),
            "acc": np.arange(36, dtype=np.float32).reshape(3, 2, 6),
            "y": ["joy", "calm", "joy"],
            **changes,
        }
        path = tmp_path / "mine.npz"
        np.savez_compressed(path, **{k: v for k, v in arrays.items() if v is not None})
        return path

    return write


class TestLayout:
    def test_modalities_labels_and_rates(self, save):
        path = save(
            groups=np.array([1, 1, 2]),
            rate_eda=4.0,
            channels_acc=["left", "right"],
        )
        data = load_npz(path)
        assert data.views.names == ("eda", "acc")
        np.testing.assert_array_equal(data.views["eda"], np.arange(12.0).reshape(3, 1, 4))
        np.testing.assert_array_equal(data.views["acc"], np.arange(36.0).reshape(3, 2, 6))
        assert data.views.dtype == np.float32
        assert data.views.schema["eda"].rate == 4.0
        assert data.views.schema["acc"].rate is None
        assert data.views.schema["acc"].channel_names == ("left", "right")
        np.testing.assert_array_equal(data.target, ["joy", "calm", "joy"])
        np.testing.assert_array_equal(data.target_names, ["calm", "joy"])
        np.testing.assert_array_equal(data.groups, [1, 1, 2])
        assert data.groups.dtype == np.array([1]).dtype
        assert data.metadata == {}

    def test_without_groups(self, save):
        assert load_npz(save()).groups is None

    def test_path_may_be_a_string(self, save):
        assert len(load_npz(str(save())).views) == 3

    def test_other_arrays_of_one_entry_per_clip_are_metadata(self, save):
        # An array whose name only looks like a rate of an unknown modality is metadata, too.
        path = save(age=[20, 30, 40], split=["train", "test", "test"], rate_of_change=[1.0, 2, 3])
        metadata = load_npz(path).metadata
        assert list(metadata) == ["age", "split", "rate_of_change"]
        np.testing.assert_array_equal(metadata["age"], [20, 30, 40])
        np.testing.assert_array_equal(metadata["split"], ["train", "test", "test"])

    def test_missing_values_are_kept(self, save):
        eda = np.ones((3, 1, 4))
        eda[1] = np.nan
        np.testing.assert_array_equal(load_npz(save(eda=eda)).views["eda"], eda)


class TestLength:
    def test_frames_past_the_length_are_not_measured(self, save):
        data = load_npz(save(acc=None, length=np.array([4, 0, 3], dtype=np.int16)))
        nan = np.nan
        expected = [[[0, 1, 2, 3]], [[nan] * 4], [[8, 9, 10, nan]]]
        np.testing.assert_array_equal(data.views["eda"], expected)
        assert "length" not in data.metadata

    def test_what_lies_past_the_length_may_be_infinite(self, save):
        eda = np.full((3, 1, 4), 2.0)
        eda[:, :, 2:] = np.inf
        views = load_npz(save(acc=None, eda=eda, length=[2, 2, 2])).views
        np.testing.assert_array_equal(np.isnan(views["eda"][0, 0]), [False, False, True, True])

    def test_each_modality_may_have_its_own(self, save):
        views = load_npz(save(length_acc=[6, 1, 2])).views
        measured = views.measured("acc")
        np.testing.assert_array_equal(measured.sum(axis=2), [[6, 6], [1, 1], [2, 2]])
        assert views.measured("eda").all()

    def test_own_length_goes_before_the_common_one(self, save):
        views = load_npz(save(length=[1, 2, 3], length_acc=[6, 6, 6])).views
        np.testing.assert_array_equal(views.measured("eda").sum(axis=(1, 2)), [1, 2, 3])
        assert views.measured("acc").all()

    @pytest.mark.parametrize("stored", [np.int16, np.float16, np.float32, np.float64])
    def test_marking_frames_keeps_the_precision(self, save, stored):
        eda = np.arange(12).reshape(3, 1, 4).astype(stored)
        plain, cut = (load_npz(save(acc=None, eda=eda, length=n)) for n in (None, [4, 4, 4]))
        assert plain.views.equals(cut.views)
        assert plain.views.dtype == cut.views.dtype

    def test_one_length_for_modalities_of_different_lengths(self, save):
        message = (
            "'length' counts frames, but the modalities have different numbers of time steps "
            "({'eda': 4, 'acc': 6}); give length_<modality> for each"
        )
        with pytest.raises(ValueError, match=re.escape(message)):
            load_npz(save(length=[4, 4, 4]))

    def test_out_of_range(self, save):
        message = r"lengths for 'eda' must lie in 0 to 4 \(its time steps\), given 5 for clip 1"
        with pytest.raises(ValueError, match=message):
            load_npz(save(acc=None, length=[4, 5, 4]))
        with pytest.raises(ValueError, match="given -1 for clip 0"):
            load_npz(save(acc=None, length=[-1, 5, 4]))

    def test_not_whole(self, save):
        with pytest.raises(ValueError, match="lengths must be integers, given float64 for 'eda'"):
            load_npz(save(acc=None, length=[4.0, 4.0, 4.0]))


class TestWrongFiles:
    def test_no_such_file(self, tmp_path):
        path = tmp_path / "nothing.npz"
        message = f"no file at {path}; expected an .npz written by numpy.savez"
        with pytest.raises(FileNotFoundError, match=re.escape(message)):
            load_npz(path)

    def test_a_folder(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="no file at"):
            load_npz(tmp_path)

    def test_not_an_npz(self, tmp_path):
        path = tmp_path / "single.npy"
        np.save(path, np.zeros(3))
        message = f"{path} is not an .npz file; write it with numpy.savez_compressed"
        with pytest.raises(ValueError, match=re.escape(message)):
            load_npz(path)

    def test_a_zip_of_something_else(self, tmp_path):
        path = tmp_path / "letter.docx"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("word/document.xml", "<w/>")
        message = f"{path} is a zip file, but 'word/document.xml' in it is not an array"
        with pytest.raises(ValueError, match=re.escape(message)):
            load_npz(path)

    @pytest.mark.parametrize("start", range(30, 430, 50))
    def test_a_damaged_file(self, save, start):
        path = save()
        content = bytearray(path.read_bytes())
        content[start : start + 60] = b"\xff" * 60
        path.write_bytes(content)
        with pytest.raises(ValueError, match=re.escape(str(path))):
            load_npz(path)

    def test_pickled_objects_are_refused_and_never_run(self, save, tmp_path):
        witness = tmp_path / "witness"

        class Payload:
            def __reduce__(self):
                return witness.touch, ()

        path = save(extra=np.array([Payload(), None, None], dtype=object))
        with pytest.raises(ValueError, match=r"array 'extra' cannot be read .* Pickled objects"):
            load_npz(path)
        assert not witness.exists()
        np.load(path, allow_pickle=True)["extra"]  # the payload does run where it is let
        assert witness.exists()


class TestWrongArrays:
    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            (
                {"eda": np.zeros((3, 4)), "acc": None},
                "no modality: expected an array (n_clips, n_channels, n_timesteps), "
                "given {'eda': (3, 4), 'y': (3,)}",
            ),
            ({"y": None}, "no labels: expected a 1-D array named 'y', given ['acc', 'eda']"),
            (
                {"y": ["joy", "calm"]},
                "'y' has 2 entries, but modality 'eda' has 3 clips; "
                "expected one entry for each clip",
            ),
            ({"groups": ["ann"]}, "'groups' has 1 entries, but modality 'eda' has 3 clips"),
            ({"age": np.ones(4)}, "'age' has 4 entries, but modality 'eda' has 3 clips"),
            ({"acc": np.ones((2, 2, 6))}, "'acc' has 2 entries, but modality 'eda' has 3 clips"),
            (
                {"length_eda": [4, 4]},
                "'length_eda' has 2 entries, but modality 'eda' has 3 clips",
            ),
            (
                {"y": [["joy"], ["calm"], ["joy"]]},
                "array 'y' of shape (3, 1) has no place in the layout: a modality "
                "(here ['eda', 'acc']) is 3-D, rate_<modality> a scalar, all else 1-D",
            ),
            ({"rate_emg": 8.0}, "array 'rate_emg' of shape () has no place in the layout"),
            ({"rate_eda": [8.0]}, "'rate_eda' must have 0 axes, given shape (1,)"),
            ({"channels_eda": "left"}, "'channels_eda' must have 1 axes, given shape ()"),
            ({"rate_eda": 0.0}, "modality 'eda': rate must be positive and finite (Hz), given 0"),
            ({"rate_eda": "fast"}, "modality 'eda': rate must be a number of Hz or None"),
            ({"channels_eda": ["a", "b"]}, "modality 'eda': 2 channel names for 1 channels"),
            ({"eda": np.full((3, 1, 4), "x")}, "modality 'eda': expected real numbers"),
        ],
    )
    def test_message(self, save, changes, message):
        path = save(**changes)
        with pytest.raises(ValueError, match=re.escape(f"{path}: {message}")):
            load_npz(path)

    @pytest.mark.parametrize("infinity", [np.inf, -np.inf])
    def test_infinite_values(self, save, infinity):
        acc = np.zeros((3, 2, 6))
        acc[2, 1, 5] = infinity
        with pytest.raises(ValueError, match=r"modality 'acc', clip 2.*infinite value"):
            load_npz(save(acc=acc))
