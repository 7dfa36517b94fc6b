"""Modality and ViewSchema: values, errors and the dictionary form."""

import json
import pickle
import re

import numpy as np
import pytest

from stf2m_sk.views import Modality, ViewSchema

ACC = Modality("acc", 3, 240, 8.0, ("x", "y", "z"))
HR = Modality("hr", 1, 30)


class TestModality:
    def test_defaults_mean_unknown(self):
        assert (HR.rate, HR.channel_names) == (None, None)

    def test_values_become_plain_python_types(self):
        given = Modality(np.str_("acc"), np.int64(3), np.int32(240), np.float32(8), ["x", "y", "z"])
        assert given == ACC
        assert [type(v) for v in vars(given).values()] == [str, int, int, float, tuple]

    def test_text_names_what_is_known(self):
        assert str(ACC) == "acc 3x240 @ 8 Hz"
        assert str(HR) == "hr 1x30"
        assert str(Modality("x", 1, 1, 0.5)) == "x 1x1 @ 0.5 Hz"

    def test_n_flat(self):
        assert ACC.n_flat == 720

    def test_is_frozen(self):
        with pytest.raises(AttributeError, match="cannot assign to field 'rate'"):
            HR.rate = 2.0

    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            ((3, 1, 1), TypeError, "the name of a modality must be a str, given 3"),
            (("", 1, 1), ValueError, "the name of a modality must not be empty"),
            (("a", 1.0, 1), TypeError, "modality 'a': n_channels must be an int, given 1.0"),
            (("a", True, 1), TypeError, "modality 'a': n_channels must be an int, given True"),
            (("a", 0, 1), ValueError, "modality 'a': n_channels must be at least 1, given 0"),
            (("a", 1, "2"), TypeError, "modality 'a': n_timesteps must be an int, given '2'"),
            (("a", 1, -1), ValueError, "modality 'a': n_timesteps must be at least 1, given -1"),
            (
                ("a", 1, 1, "8"),
                TypeError,
                "modality 'a': rate must be a number of Hz or None, given '8'",
            ),
            (
                ("a", 1, 1, True),
                TypeError,
                "modality 'a': rate must be a number of Hz or None, given True",
            ),
            (
                ("a", 1, 1, 0),
                ValueError,
                "modality 'a': rate must be positive and finite (Hz), given 0.0",
            ),
            (
                ("a", 1, 1, np.nan),
                ValueError,
                "modality 'a': rate must be positive and finite (Hz), given nan",
            ),
            (
                ("a", 1, 1, np.inf),
                ValueError,
                "modality 'a': rate must be positive and finite (Hz), given inf",
            ),
            (
                ("a", 2, 1, None, "xy"),
                TypeError,
                "modality 'a': channel_names must be a sequence of str, given 'xy'",
            ),
            (
                ("a", 2, 1, None, 5),
                TypeError,
                "modality 'a': channel_names must be a sequence of str, given 5",
            ),
            (
                ("a", 2, 1, None, ["x", ""]),
                TypeError,
                "modality 'a': every channel name must be a str that is not empty, given ('x', '')",
            ),
            (
                ("a", 2, 1, None, ["x"]),
                ValueError,
                "modality 'a': 1 channel names for 2 channels: ('x',)",
            ),
            (
                ("a", 2, 1, None, ["x", "x"]),
                ValueError,
                "modality 'a': channel names must differ, given ('x', 'x')",
            ),
        ],
    )
    def test_errors(self, arguments, error, message):
        with pytest.raises(error, match=f"^{re.escape(message)}$"):
            Modality(*arguments)


class TestViewSchema:
    schema = ViewSchema((ACC, HR))

    def test_reads_like_a_sequence_and_by_name(self):
        assert list(self.schema) == [ACC, HR]
        assert len(self.schema) == 2
        assert self.schema.names == ("acc", "hr")
        assert self.schema["hr"] is HR
        assert "hr" in self.schema
        assert "eda" not in self.schema

    def test_n_flat_sums_channels_times_steps(self):
        assert self.schema.n_flat == 3 * 240 + 30

    def test_repr(self):
        assert repr(self.schema) == "ViewSchema(acc 3x240 @ 8 Hz, hr 1x30)"

    def test_equality_and_hash_are_by_value_and_order(self):
        assert self.schema == ViewSchema([ACC, HR])
        assert hash(self.schema) == hash(ViewSchema([ACC, HR]))
        assert self.schema != ViewSchema([HR, ACC])

    def test_pickle_round_trip(self):
        assert pickle.loads(pickle.dumps(self.schema)) == self.schema

    def test_dictionary_round_trip_through_json(self):
        text = json.dumps(self.schema.to_dict())
        assert ViewSchema.from_dict(json.loads(text)) == self.schema

    def test_to_dict_leaves_out_what_is_unknown(self):
        assert self.schema.to_dict() == {
            "acc": {
                "n_channels": 3,
                "n_timesteps": 240,
                "rate": 8.0,
                "channel_names": ["x", "y", "z"],
            },
            "hr": {"n_channels": 1, "n_timesteps": 30},
        }

    def test_from_dict_defaults(self):
        assert ViewSchema.from_dict({"hr": {"n_channels": 2}})["hr"] == Modality("hr", 2, 1)

    def test_from_dict_reads_null(self):
        entry = {"n_channels": 1, "rate": None, "channel_names": None}
        assert ViewSchema.from_dict({"hr": entry})["hr"] == Modality("hr", 1, 1)

    def test_coerce(self):
        assert ViewSchema.coerce(self.schema) is self.schema
        assert ViewSchema.coerce(self.schema.to_dict()) == self.schema

    def test_unknown_name_lists_the_names(self):
        message = re.escape("no modality 'eda'; there are ['acc', 'hr']")
        with pytest.raises(KeyError, match=message):
            self.schema["eda"]

    @pytest.mark.parametrize(
        ("modalities", "error", "message"),
        [
            ([], ValueError, "expected at least one modality, given none"),
            (["acc"], TypeError, "a ViewSchema is made of Modality objects, given 'acc'"),
            (
                [HR, ACC, HR],
                ValueError,
                "the names of the modalities must differ; repeated: ['hr']",
            ),
        ],
    )
    def test_errors(self, modalities, error, message):
        with pytest.raises(error, match=f"^{re.escape(message)}$"):
            ViewSchema(modalities)

    @pytest.mark.parametrize(
        ("schema", "error", "message"),
        [
            (
                ["acc"],
                TypeError,
                "a schema must be a mapping of modality name to its description, given list",
            ),
            (
                {"acc": 3},
                TypeError,
                "modality 'acc': expected a mapping with the keys "
                "['n_channels', 'n_timesteps', 'rate', 'channel_names'], given 3",
            ),
            (
                {"acc": {"n_channels": 3, "hz": 8}},
                ValueError,
                "modality 'acc': unknown keys ['hz']; expected "
                "['n_channels', 'n_timesteps', 'rate', 'channel_names']",
            ),
            (
                {"acc": {"rate": 8}},
                ValueError,
                "modality 'acc': n_channels is missing, given ['rate']",
            ),
        ],
    )
    def test_dictionary_errors(self, schema, error, message):
        with pytest.raises(error, match=f"^{re.escape(message)}$"):
            ViewSchema.coerce(schema)
