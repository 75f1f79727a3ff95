"""The requests with which TF Serving warms up a SavedModel before it serves.

The first request of each signature costs several times as much as later ones. TF Serving sends
itself those of `assets.extra/tf_serving_warmup_requests` while it loads a version.
See https://www.tensorflow.org/tfx/serving/saved_model_warmup.
"""

import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto

FILE = "assets.extra/tf_serving_warmup_requests"


def write_requests(path, requests, name):
    """Writes one `PredictionLog` for each signature, as a TFRecord file.

    Args:
        path: of the file; its folder is created.
        requests: `{signature: {input: TensorProto}}`; `gray_requests` makes them.
        name: of the model, as TF Serving knows it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, inputs in requests.items():
            writer.write(_prediction_log(name, signature, inputs))


def gray_requests(signatures, height, width, channels):
    """One gray image for each of the signatures of a SavedModel, as `signatures` makes them."""
    shape = tf.TensorShape((1, height, width, channels)).as_proto()
    float32, uint8 = tf.float32.as_datatype_enum, tf.uint8.as_datatype_enum
    pixels = tf.fill((height, width, channels), tf.constant(128, tf.uint8))
    # A tensor of one value repeated is written as that value.
    requests = {
        "serving_default": {"image": TensorProto(dtype=float32, tensor_shape=shape, float_val=[0])},
        "uint8": {"image": TensorProto(dtype=uint8, tensor_shape=shape, int_val=[128])},
    }
    if "bytes" in signatures:
        requests["bytes"] = {
            "image_bytes": tf.make_tensor_proto([tf.io.encode_png(pixels).numpy()])
        }
    return requests


def _prediction_log(name, signature, inputs):
    """A serialized `tensorflow.serving.PredictionLog`.

    Its classes are in tensorflow-serving-api, which wants a TensorFlow of its own version; a few
    fields of `prediction_log.proto`, `predict.proto` and `model.proto` are all that is needed.
    """
    model_spec = _field(1, name.encode()) + _field(3, signature.encode())
    request = _field(1, model_spec)
    for key, tensor in inputs.items():
        request += _field(2, _field(1, key.encode()) + _field(2, tensor.SerializeToString()))
    predict_log = _field(1, request)
    return _field(6, predict_log)


def _field(number, content):
    """A field of bytes, text or a message in the wire format of protocol buffers."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value):
    """Seven bits a byte, the lowest first; all but the last byte have the eighth bit set."""
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes(found) + bytes([value])
