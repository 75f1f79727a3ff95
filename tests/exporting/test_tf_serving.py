"""An export in TF Serving: the server's own loader and protocols, `client.py`, and the settings."""

import http.server
import json
import pathlib
import re
import subprocess
import sys
import threading
import urllib.request

import numpy as np
import pytest
import tensorflow as tf
import yaml
from PIL import Image
from tiny import smooth

from cyclegan_tf import InputError, export_saved_model, resnet_generator
from cyclegan_tf.exporting.export import export
from cyclegan_tf.translation.translator import Translator

ROOT = pathlib.Path(__file__).parents[2]
SERVING = ROOT / "export" / "serving"


@pytest.fixture(scope="module")
def model():
    generators = {
        direction: resnet_generator(base_filters=4, blocks=1, seed=seed)
        for seed, direction in enumerate(("ab", "ba"))
    }
    return Translator(generators, (24, 24, 3))


@pytest.fixture(scope="module")
def models(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for direction in model.generators:
        export_saved_model(model, folder, direction)
    return folder


@pytest.fixture(scope="module")
def server(models):
    command = [sys.executable, ROOT / "tests" / "tf_serving.py", SERVING / "models.config", models]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield json.loads(process.stdout.readline())
        process.kill()


def _client(*arguments):
    command = [sys.executable, SERVING / "client.py", *arguments]
    return subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=120)


def _addresses(server):
    return {
        "rest": ("--rest", f"http://localhost:{server['rest']}"),
        "grpc": ("--grpc", f"localhost:{server['grpc']}"),
    }


def test_every_signature_of_both_models_is_warmed_up(server):
    assert server["warmed_up"] == {
        f"generator_{direction}": ["serving_default", "uint8", "bytes"]
        for direction in ("ab", "ba")
    }


def test_warm_up_requests_are_what_the_servers_protocol_says(models):
    from tensorflow_serving.apis import prediction_log_pb2

    path = models / "generator_ab/1/assets.extra/tf_serving_warmup_requests"
    found = {}
    for record in tf.data.TFRecordDataset(str(path)):
        log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
        assert log.WhichOneof("log_type") == "predict_log"
        request = log.predict_log.request
        assert request.model_spec.name == "generator_ab"
        (tensor,) = request.inputs.values()
        found[request.model_spec.signature_name] = tf.make_ndarray(tensor)
    assert found["serving_default"].shape == found["uint8"].shape == (1, 24, 24, 3)
    assert (found["uint8"] == 128).all()
    assert tf.io.decode_png(found["bytes"][0]).shape == (24, 24, 3)
    assert path.stat().st_size < 1000


@pytest.mark.parametrize("protocol", ["rest", "grpc"])
@pytest.mark.parametrize("direction", ["ab", "ba"])
def test_the_client_gets_what_keras_makes(model, server, protocol, direction, tmp_path):
    sizes = {"a.png": (24, 32), "b.bmp": (9, 14), "c.gif": (30, 21)}
    for name, size in sizes.items():
        Image.fromarray(smooth(*size)).save(tmp_path / name)
    files = [tmp_path / name for name in sizes]
    address = _addresses(server)[protocol]
    done = _client(*files, tmp_path / "out", "--model", f"generator_{direction}", *address)
    assert done.returncode == 0, done.stderr
    for file in files:
        with Image.open(file) as image, Image.open(tmp_path / "out" / f"{file.stem}.png") as png:
            expected = model.translate(np.asarray(image.convert("RGB")), direction)
            answer = np.asarray(png)
        np.testing.assert_allclose(answer.astype(int), expected, atol=1)


@pytest.mark.parametrize("protocol", ["rest", "grpc"])
def test_the_client_says_what_went_wrong(server, protocol, tmp_path):
    Image.fromarray(smooth()).save(tmp_path / "good.png")
    (tmp_path / "bad.jpg").write_text("no image")
    good, address = tmp_path / "good.png", _addresses(server)[protocol]
    for arguments, sentence in (
        ((good, tmp_path / "bad.jpg"), r"(400|INVALID_ARGUMENT): .*number.*\[1\].*none of JPEG"),
        ((good, "--model", "generator_xy"), r"answered (404|NOT_FOUND): "),
        ((tmp_path / "missing.png",), r"missing.png cannot be read: No such file"),
        ((good, tmp_path / "more" / "good.jpg"), r"two images are called good"),
    ):
        images = [a for a in arguments if isinstance(a, pathlib.Path)]
        done = _client(*images, tmp_path / "out", *arguments[len(images) :], *address)
        assert done.returncode == 2
        assert re.search(sentence, done.stderr, re.DOTALL), done.stderr
        assert re.search(r"^client\.py: ", done.stderr, re.MULTILINE)
        assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_the_client_says_that_nobody_answers(tmp_path):
    Image.fromarray(smooth()).save(tmp_path / "good.png")
    done = _client(tmp_path / "good.png", tmp_path, "--rest", "http://localhost:1")
    assert done.returncode == 2
    assert "localhost:1/v1/models/generator_ab:predict does not answer: " in done.stderr


def test_the_client_says_that_it_is_no_tf_serving(tmp_path):
    class LoginPage(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>Please log in")

        def log_message(self, *_):
            pass

    Image.fromarray(smooth()).save(tmp_path / "good.png")
    with http.server.HTTPServer(("localhost", 0), LoginPage) as page:
        threading.Thread(target=page.serve_forever, daemon=True).start()
        address = f"http://localhost:{page.server_port}"
        done = _client(tmp_path / "good.png", tmp_path, "--rest", address)
        page.shutdown()
    assert done.returncode == 2
    assert "did not answer as TF Serving does (JSONDecodeError" in done.stderr
    done = _client(tmp_path / "good.png", tmp_path, "--rest", "myserver")
    assert done.returncode == 2
    assert "such as http://localhost:8501. Received: myserver" in done.stderr


@pytest.mark.parametrize("signature", ["serving_default", "uint8"])
def test_images_as_rows_of_numbers(model, server, signature):
    pixels = np.stack([smooth(20, 24, seed=n) for n in range(2)])
    whole = signature == "uint8"
    instances = pixels if whole else pixels / np.float32(127.5) - 1
    body = {"signature_name": signature, "instances": instances.tolist()}
    url = f"http://localhost:{server['rest']}/v1/models/generator_ab:predict"
    with urllib.request.urlopen(url, json.dumps(body).encode()) as response:
        found = np.asarray(json.load(response)["predictions"])
    atol = 1 if whole else 1e-5
    np.testing.assert_allclose(found, model.translate(instances).astype(float), atol=atol)


def test_the_settings_fit_together(server):
    with urllib.request.urlopen(f"http://localhost:{server['rest']}{_probe()['path']}") as answer:
        assert answer.status == 200
    compose = yaml.safe_load((SERVING / "docker-compose.yml").read_text())["services"]["translator"]
    container = _container()
    assert container["image"] == compose["image"]
    assert re.fullmatch(r"tensorflow/serving:\d+\.\d+\.\d+", compose["image"])
    assert container["args"] == compose["command"] == ["--model_config_file=/config/models.config"]
    mounts = [volume.split(":")[-2] for volume in compose["volumes"]]
    assert sorted(mounts) == sorted(m["mountPath"] for m in container["volumeMounts"])


def _container():
    deployment, _ = yaml.safe_load_all((SERVING / "kubernetes.yaml").read_text())
    return deployment["spec"]["template"]["spec"]["containers"][0]


def _probe():
    return _container()["readinessProbe"]["httpGet"]


def test_the_readme_shows_what_saved_model_cli_prints(models):
    text = (SERVING / "README.md").read_text()
    shown = re.search(r"```\n(\$ saved_model_cli .*?)```", text, re.DOTALL).group(1)
    cli = pathlib.Path(sys.executable).with_name("saved_model_cli")
    for block in re.split(r"^\$ saved_model_cli ", shown, flags=re.MULTILINE)[1:]:
        command, expected = block.split("\n", 1)
        command = command.replace("exported/", f"{models}/")
        done = subprocess.run([cli, *command.split()], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == expected.strip()


def test_an_export_that_is_interrupted_leaves_nothing(model, tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    export_saved_model(model, tmp_path)
    with monkeypatch.context() as patch:
        # The last thing to be written.
        patch.setattr(tf.io, "TFRecordWriter", interrupted)
        with pytest.raises(KeyboardInterrupt):
            export_saved_model(model, tmp_path)
    assert [path.name for path in (tmp_path / "generator_ab").iterdir()] == ["1"]
    assert export_saved_model(model, tmp_path).name == "2"


def test_a_server_gets_no_version_where_another_file_fails(model, tmp_path):
    with pytest.raises(InputError, match="needs images"):
        export(model, tmp_path, ("ab",), quantization="int8")
    with pytest.raises(InputError, match=r"Received: savedmodel"):
        export(model, tmp_path, ("ab",), kinds=("savedmodel",))
    assert not list(tmp_path.iterdir())


def test_versions_are_chosen_or_refused(model, tmp_path):
    assert export_saved_model(model, tmp_path, version=7).name == "7"
    assert export_saved_model(model, tmp_path).name == "8"
    with pytest.raises(InputError, match=r"7 is there already"):
        export_saved_model(model, tmp_path, version=7)
    for version in (0, -1, "latest", 1.5):
        with pytest.raises(InputError, match=r"integer of 1 or more\. Received: "):
            export_saved_model(model, tmp_path, version=version)
