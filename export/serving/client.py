"""Sends images to TF Serving and writes the translated ones: client.py IMAGE… FOLDER.

REST needs only Python; --grpc needs tensorflow-serving-api.
"""

import argparse
import base64
import http.client
import json
import pathlib
import sys
import urllib.error
import urllib.request

SIGNATURE = "bytes"  # encoded files in, PNG files out


def main():
    options = _arguments()
    _check_names(options.images)
    files = [_read(path) for path in options.images]
    translate = _by_grpc if options.grpc else _by_rest
    translated = translate(files, options)
    try:
        options.folder.mkdir(parents=True, exist_ok=True)
        for path, png in zip(options.images, translated, strict=True):
            target = options.folder / f"{path.stem}.png"
            target.write_bytes(png)
            print(target)
    except OSError as error:
        _fail(f"{error.filename or options.folder} cannot be written: {error.strerror}.")


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", nargs="+", type=pathlib.Path, help="JPEG, PNG, GIF, BMP, WebP")
    parser.add_argument("folder", type=pathlib.Path, help="where the PNG files go")
    parser.add_argument("--model", default="generator_ab")
    parser.add_argument("--version", type=int, help="the newest by default")
    parser.add_argument("--rest", default="http://localhost:8501", help="address (%(default)s)")
    parser.add_argument("--grpc", help="address, such as localhost:8500; instead of REST")
    parser.add_argument("--timeout", type=float, default=60, help="seconds (%(default)s)")
    return parser.parse_args()


def _check_names(paths):
    names = [path.stem for path in paths]
    if double := next((name for name in names if names.count(name) > 1), None):
        _fail(f"two images are called {double}; one would replace the other.")


def _read(path):
    try:
        return path.read_bytes()
    except OSError as error:
        _fail(f"{path} cannot be read: {error.strerror}.")


def _by_rest(files, options):
    version = f"/versions/{options.version}" if options.version else ""
    url = f"{options.rest.rstrip('/')}/v1/models/{options.model}{version}:predict"
    if not url.startswith(("http://", "https://")):
        _fail(f"--rest is an address such as http://localhost:8501. Received: {options.rest}")
    instances = [{"b64": base64.b64encode(file).decode()} for file in files]
    body = json.dumps({"signature_name": SIGNATURE, "instances": instances}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=options.timeout) as response:
            predictions = json.load(response)["predictions"]
        return [base64.b64decode(prediction["b64"]) for prediction in predictions]
    except urllib.error.HTTPError as error:  # the server's own sentence is in the body
        _fail(f"{url} answered {error.code}: {error.read().decode(errors='replace')}")
    except OSError as error:
        _fail(f"{url} does not answer: {getattr(error, 'reason', error)}.")
    except (ValueError, KeyError, TypeError, http.client.HTTPException) as error:
        _fail(f"{url} did not answer as TF Serving does ({type(error).__name__}: {error}).")


def _by_grpc(files, options):
    try:
        import grpc
        from tensorflow.core.framework import tensor_pb2, types_pb2
        from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc
    except ImportError as error:
        _fail(f"--grpc needs pip install tensorflow-serving-api ({error}).")
    request = predict_pb2.PredictRequest()
    request.model_spec.name = options.model
    request.model_spec.signature_name = SIGNATURE
    if options.version:
        request.model_spec.version.value = options.version
    tensor = tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING, string_val=files)
    tensor.tensor_shape.dim.add(size=len(files))
    request.inputs["image_bytes"].CopyFrom(tensor)
    unlimited = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    with grpc.insecure_channel(options.grpc, options=unlimited) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        try:
            response = stub.Predict(request, timeout=options.timeout)
        except grpc.RpcError as error:
            _fail(f"{options.grpc} answered {error.code().name}: {error.details()}")
    return response.outputs["translated_bytes"].string_val


def _fail(sentence):
    print(f"client.py: {sentence}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
