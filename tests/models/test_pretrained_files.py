"""Tests of chainrule/models/pretrained_files.py: configurations and names."""

import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from chainrule.errors import DataError, MissingExtraError
from chainrule.models import pretrained
from chainrule.models.pretrained import load_published
from chainrule.models.pretrained_files import NAMINGS, Files, read_files
from tests.models.networks_of_others import mobilenet_v2, resnet18_of_transformers, saved

pytestmark = pytest.mark.usefixtures("float32_world")
NAMING = {(naming.architecture, naming.library): naming for naming in NAMINGS}
RESNET, TENSORFLOW = NAMING["resnet", "torchvision"], NAMING["mobilenet_v2", "transformers"]


def files(config=None, preprocessor=None):
    return Files({}, config or {}, preprocessor or {})


def test_a_folder_of_transformers(tmp_path):
    config = {
        "id2label": {"0": "cat", "1": "dog", "2": "a bird"},
        "image_size": 96,
        "layer_norm_eps": 1e-5,
        "tf_padding": False,
    }
    preprocessor = {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6]}
    tensors = mobilenet_v2("transformers", width=0.35)
    found = load_published(saved(tmp_path, tensors, config, preprocessor))
    assert found.network.title == "mobilenet_v2(96×96×3 -> 3)"
    assert found.network.options == (("width", 0.35),)
    assert found.classes == ("cat", "dog", "a bird")
    np.testing.assert_allclose(found.mean, [0.1, 0.2, 0.3])
    np.testing.assert_allclose(found.std, [0.4, 0.5, 0.6])
    assert found.source == str(tmp_path)


def test_the_configuration_of_timm(tmp_path):
    more = {"input_size": [3, 64, 64], "mean": [0.5] * 3, "std": [0.25] * 3}
    config = {"architecture": "mobilenetv2_035", "label_names": ["a", "b", "c"]}
    folder = saved(tmp_path, mobilenet_v2("timm", width=0.35), {**config, "pretrained_cfg": more})
    found = load_published(folder / "model.safetensors")
    assert found.network.shape == (64, 64, 3)
    assert found.classes == ("a", "b", "c")
    assert (found.mean == 0.5).all()
    assert (found.std == 0.25).all()


def test_pixels_are_normalised_as_in_the_libraries_by_default():
    mean, std = files().normalization(RESNET, 3)
    np.testing.assert_allclose([mean, std], [[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])
    assert [list(x) for x in files().normalization(TENSORFLOW, 3)] == [[0.5] * 3] * 2
    grey, _ = files().normalization(RESNET, 1)
    np.testing.assert_allclose(grey, [0.449], rtol=1e-6)


def test_class_names_only_if_every_class_has_one():
    config = {"id2label": {"0": "LABEL_0", "1": "LABEL_1"}}
    assert files(config).classes(2) is None  # what transformers writes if it has no names
    assert files({"id2label": {"0": "cat", "1": "dog"}}).classes(3) is None
    assert files({"label_names": ["cat", "dog"]}).classes(2) == ("cat", "dog")
    assert files().classes(2) is None


def test_padding_and_epsilon_of_tensorflow_are_for_one_library_only():
    assert files().tensorflow_padding(TENSORFLOW)
    assert not files({"tf_padding": False}).tensorflow_padding(TENSORFLOW)
    assert not files().tensorflow_padding(NAMING["mobilenet_v2", "timm"])
    assert files().eps(TENSORFLOW) == 1e-3
    assert files().eps(RESNET) == files().eps(NAMING["resnet", "transformers"]) == 1e-5


# Errors


def words(call, *args):
    with pytest.raises(DataError) as error:
        call(*args)
    return str(error.value)


@pytest.mark.parametrize(
    ("make", "name", "value", "usual"),
    [
        (resnet18_of_transformers, "downsample_in_first_stage", True, "false"),
        (resnet18_of_transformers, "hidden_act", "gelu", '"relu"'),
        (lambda: mobilenet_v2("transformers", width=0.35), "output_stride", 16, "32"),
    ],
)
def test_refuses_a_configuration_of_another_network(tmp_path, make, name, value, usual):
    source = saved(tmp_path, make(), {name: value})
    assert words(load_published, source) == (
        f"{source}, config.json: expected {name} = {usual}, as in the paper; got "
        f"{json.dumps(value)}.\nTry the weights of a network without this change."
    )


def test_refuses_a_missing_file(tmp_path):
    hint = "Try the path of a file, or a name on the hub, such as timm/resnet18.a1_in1k."
    for path in (tmp_path, tmp_path / "missing.safetensors"):
        expected = f"{path}: expected a safetensors file; got no such file.\n{hint}"
        assert words(read_files, path) == expected


@pytest.mark.parametrize("suffix", [".pth", ".bin", ".ckpt"])
def test_a_pickle_is_not_read(tmp_path, suffix):
    path = tmp_path / f"model{suffix}"
    path.write_bytes(b"cos\nsystem\n")
    assert words(read_files, path) == (
        f"{path}: expected a safetensors file; got a {suffix} file, which is a pickle and "
        "could run any code.\n"
        'Try safetensors.torch.save_file(model.state_dict(), "model.safetensors"), '
        "in PyTorch."
    )


@pytest.mark.parametrize("content", [b"", b"\x10" + bytes(7) + b"{", b"no tensors at all"])
def test_refuses_a_damaged_file(tmp_path, content):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    message = words(read_files, path)
    assert message.startswith(f"{path}: expected a safetensors file; got ")
    assert message.endswith("\nTry downloading it again: it is damaged, or in another format.")


def test_refuses_a_damaged_configuration(tmp_path):
    saved(tmp_path, {"a": np.zeros(1, np.float32)})
    path = tmp_path / "config.json"
    path.write_text("{")
    message = words(read_files, tmp_path)
    assert message.startswith(f"{path}: expected valid JSON; got text that is not valid JSON (")
    assert message.endswith("\nTry downloading it again, or removing it.")


# The hub


class Client(ModuleType):
    """The hub's client with a local folder instead of the internet."""

    def __init__(self, root):
        super().__init__("huggingface_hub")
        self.root, self.asked = root, []

    def hf_hub_download(self, name, file):
        self.asked.append((name, file))
        path = self.root / name.replace("/", "--") / file
        if not path.is_file():
            raise OSError(f"404 Client Error.\n{name} has no {file}")
        return str(path)


@pytest.fixture
def client(tmp_path, monkeypatch):
    made = Client(tmp_path)
    monkeypatch.setitem(sys.modules, "huggingface_hub", made)
    return made


def test_a_network_by_name(client):
    config = {"layer_norm_eps": 1e-5, "image_size": 48}
    saved(client.root / "me--small_net.v2", mobilenet_v2("transformers", width=0.35), config)
    found = load_published("me/small_net.v2")
    assert found.network.shape == (48, 48, 3)
    assert found.source == "me/small_net.v2"
    beside = ("model.safetensors", "config.json", "preprocessor_config.json")
    assert client.asked == [("me/small_net.v2", file) for file in beside]


def test_refuses_a_name_that_is_not_on_the_hub(client):
    assert words(load_published, "me/nothing") == (
        "me/nothing: expected a network on the hub with a file model.safetensors; got 404 Client "
        "Error.\nTry a local file, or another name, such as timm/resnet18.a1_in1k."
    )


def test_a_name_requires_the_client(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtraError) as error:
        pretrained.fetch("timm/resnet18.a1_in1k")
    assert str(error.value) == (
        "timm/resnet18.a1_in1k: expected the package huggingface_hub; got an installation without "
        'it.\nTry pip install "chainrule[hub]".'
    )


def test_an_existing_path_is_not_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert pretrained.is_name("runs/net")
    Path("runs/net").mkdir(parents=True)
    assert not pretrained.is_name("runs/net")
