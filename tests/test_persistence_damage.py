"""Loading a file that is damaged, or not ours: a ValueError that names it, and nothing else."""

import json
import pickle

import pytest
import torch
from numpy.testing import assert_array_equal
from safetensors import safe_open
from safetensors.torch import save_file

import stf2m_sk
from stf2m_sk import model_file


def content_of(path):
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return file.metadata(), tensors


def description_of(path):
    """Where the description lies in the metadata, and what it says."""
    metadata, _ = content_of(path)
    [(key, text)] = [item for item in metadata.items() if item[1].startswith("{")]
    return key, json.loads(text)


def rewrite(path, *, change=None, change_tensors=None, metadata=None):
    """Write the file anew with another description, tensors or metadata."""
    description, tensors = model_file.read(path)
    if change is not None:
        change(description)
    if change_tensors is not None:
        change_tensors(tensors)
    if metadata is None:
        model_file.write(path, description, tensors)  # with a checksum that fits
    else:
        save_file(tensors, path, metadata=metadata)


@pytest.fixture
def refuses(saved):
    """A function that asserts a ValueError which names the file."""

    def refuses(message=None):
        with pytest.raises(ValueError, match=message) as error:
            stf2m_sk.load(saved)
        assert repr(str(saved)) in str(error.value)

    return refuses


class TestDamagedFile:
    @pytest.mark.parametrize(
        "damage",
        [
            lambda data: data[:-10],
            lambda data: data[: len(data) // 2],
            lambda data: data[:5],
            lambda data: b"",
            lambda data: b"This is no model, but a letter to a friend.\n" * 100,
            lambda data: data + b"more",
            lambda data: data[:8] + b"\xff" * 20 + data[28:],
            lambda data: pickle.dumps({"format": "stf2m_sk"}),
        ],
        ids=["cut", "half", "stub", "empty", "text", "longer", "header", "pickle"],
    )
    def test_as_a_whole(self, saved, refuses, damage):
        saved.write_bytes(damage(saved.read_bytes()))
        refuses("is damaged, or no file of STF2MClassifier.save")

    def test_safetensors_of_others(self, saved, refuses):
        save_file({"weight": torch.zeros(2)}, saved)
        refuses("is a safetensors file, but not one that STF2MClassifier.save wrote")
        save_file({"weight": torch.zeros(2)}, saved, metadata={"format": "pt"})
        refuses("is a safetensors file, but not one that STF2MClassifier.save wrote")

    @pytest.mark.parametrize("text", ["[]", "null", "3", "{", '"version"'])
    def test_description(self, saved, refuses, text):
        metadata, _ = content_of(saved)
        key, _ = description_of(saved)
        rewrite(saved, metadata={**metadata, key: text})
        refuses()

    @pytest.mark.parametrize("version", [0, 1, 999, "next", None])
    def test_version(self, saved, refuses, version):
        rewrite(saved, change=lambda description: description.update(version=version))
        refuses(f"has format version {version!r}; this stf2m_sk reads version")

    def test_every_part_of_the_description_is_needed(self, saved, refuses):
        whole = saved.read_bytes()
        description, _ = model_file.read(saved)
        assert len(description) > 5
        for name in description:
            rewrite(saved, change=lambda d, name=name: d.pop(name))
            refuses()
            saved.write_bytes(whole)

    def test_every_tensor_is_needed_and_of_its_shape(self, saved, refuses):
        whole = saved.read_bytes()
        _, tensors = content_of(saved)
        of_network = [name for name in tensors if name.startswith("module.")]
        for name in (tensors.keys() - set(of_network)) | set(of_network[::15]):
            rewrite(saved, change_tensors=lambda t, name=name: t.pop(name))
            refuses()
            saved.write_bytes(whole)
            cut = torch.zeros(max(2, tensors[name].numel() - 1), dtype=tensors[name].dtype)
            rewrite(saved, change_tensors=lambda t, name=name, cut=cut: t.update({name: cut}))
            refuses()
            saved.write_bytes(whole)

    @pytest.mark.parametrize(
        "key", ["sizes", "schema", "classes", "population_classes", "params", "provenance"]
    )
    @pytest.mark.parametrize("value", [None, 3, "text", [1], {"a": 1}], ids=repr)
    def test_parts_of_another_type(self, saved, refuses, key, value):
        rewrite(saved, change=lambda description: description.update({key: value}))
        refuses()

    @pytest.mark.parametrize("value", [None, 0, -1, "text"])
    @pytest.mark.parametrize(
        "size",
        [*["n_channels", "n_timesteps", "n_kernels", "n_patterns", "n_taps"]],
    )
    def test_sizes(self, saved, refuses, size, value):
        rewrite(saved, change=lambda description: description["sizes"].update({size: value}))
        refuses()

    @pytest.mark.parametrize(
        "change",
        [
            lambda d: d["population_classes"]["values"].pop(),
            lambda d: d["population_classes"]["values"].append("one more"),
            lambda d: d["population_classes"]["values"].reverse(),
            lambda d: d["population_classes"].update(dtype="<i8"),
            lambda d: d["population_classes"].update(dtype="no dtype"),
            lambda d: d["classes"]["values"].clear(),
            lambda d: d["classes"].update(dtype="<i8"),
            lambda d: d["support"]["values"].pop(),
            lambda d: d["schema"].popitem(),
            lambda d: d["schema"]["skin"].update(n_channels=-1),
            lambda d: d["schema"]["skin"].update(n_channels=2),
            lambda d: d["params"].update(no_such_parameter=1),
            lambda d: d.update(n_features_in="many"),
            lambda d: d.update(feature_names_in=3),
            lambda d: d["provenance"].update(n_people=0),
            lambda d: d["provenance"].update(n_people=10**6),
            lambda d: d["provenance"].update(n_people=2.5),
            lambda d: d["provenance"]["n_clips"].pop(),
            lambda d: d["provenance"].update(n_clips=[-1, 50, 50]),
            lambda d: d["provenance"].update(n_measured=[10**6, 1]),
            lambda d: d["provenance"].update(versions={"torch": 2}),
        ],
        ids=[
            "population classes: one less",
            "population classes: one more",
            "population classes: another order",
            "population classes: numbers",
            "population classes: no dtype",
            "classes: none",
            "classes: numbers",
            "support: one label less",
            "schema: one modality less",
            "schema: negative",
            "schema: more channels than the network has",
            "params: an unknown one",
            "n_features_in: text",
            "feature_names_in: a number",
            "provenance: no people",
            "provenance: more people than clips",
            "provenance: part of a person",
            "provenance: clips of one class less",
            "provenance: a negative count",
            "provenance: more measured than there are",
            "provenance: a version that is no text",
        ],
    )
    def test_parts_that_contradict_the_rest(self, saved, refuses, change):
        rewrite(saved, change=change)
        refuses()

    @pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
    def test_trained_on_another_device_is_no_damage(self, saved, people):
        expected = stf2m_sk.load(saved).predict_proba(people.views)
        rewrite(saved, change=lambda description: description["params"].update(device="cuda"))
        assert_array_equal(stf2m_sk.load(saved).predict_proba(people.views), expected)
