"""Facts about a .tflite, stored inside it.

They are a JSON file in a zip archive at the end of the .tflite, where the TensorFlow Lite format
has its "associated files": interpreters ignore it, and `unzip -p FILE.tflite` prints it.
"""

import io
import json
import zipfile

NAME = "cyclegan_tf.json"

# So that the same model always gives the same file.
_TIME = (1980, 1, 1, 0, 0, 0)


def with_facts(model, facts):
    """The bytes of a .tflite with facts, a JSON dictionary, at the end."""
    file = io.BytesIO(model)
    with zipfile.ZipFile(file, "a") as archive:
        text = json.dumps(facts, indent=2, ensure_ascii=False) + "\n"
        archive.writestr(zipfile.ZipInfo(NAME, _TIME), text)
    return file.getvalue()


def read(path):
    """The facts in a .tflite that `export_tflite` wrote; see `export/mobile/README.md`."""
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read(NAME))
