"""Model files that came to harm, or that would do harm."""

import pathlib
import zipfile

import keras
import pytest

from cyclegan_tf import InputError, resnet_generator
from cyclegan_tf.runs.load import load


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "model.keras"
    resnet_generator(base_filters=2, blocks=1, seed=0).save(path)
    load(path)
    return path


def _places(path):
    """Bytes of the data of each file in an archive, and of its table of contents."""
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            begin = entry.header_offset + len(entry.FileHeader())
            yield from (begin + entry.compress_size * part // 5 for part in range(5))
        table = archive.start_dir
    yield from range(table + 1, path.stat().st_size - 22, 5)


def test_a_flipped_byte_is_damage_wherever_it_is(whole, tmp_path):
    """Of names and dates in the table too: whatever loads all the same has the same weights."""
    content = whole.read_bytes()
    expected = [weight.tobytes() for weight in load(whole).generators["ab"].get_weights()]
    spoilt, sentences = tmp_path / "model.keras", []
    for place in _places(whole):
        spoilt.write_bytes(content[:place] + bytes([content[place] ^ 0x41]) + content[place + 1 :])
        try:
            found = load(spoilt).generators["ab"].get_weights()
        except InputError as error:
            sentences.append(str(error))
        else:
            assert [weight.tobytes() for weight in found] == expected, place
    for name in ("metadata.json", "config.json", "model.weights.h5", "its table of contents"):
        assert any(f"model.keras is damaged ({name} is not" in each for each in sentences)
    assert not any("\n" in sentence for sentence in sentences)


def test_a_damaged_model_gets_one_sentence(whole, here, tmp_path):
    content = bytearray(whole.read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "model.keras").write_bytes(content)
    sentence = here("translate", tmp_path, tmp_path / "x.png", tmp_path / "y.png").refused()
    assert "damaged (model.weights.h5 is not as it was written)" in sentence


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_code_in_a_model_is_not_run(suffix, tmp_path):
    trace = tmp_path / "ran"

    image = keras.Input((None, None, 3))
    write = keras.layers.Lambda(
        lambda x, path=str(trace): x * open(path, "w").write("0"),  # noqa: SIM115
        output_shape=(None, None, 3),
    )
    path = tmp_path / f"model{suffix}"
    keras.Model(image, write(image)).save(path)
    trace.unlink(missing_ok=True)
    with pytest.raises(InputError, match=r"holds Python code .* was not loaded") as caught:
        load(path)
    assert "safe_mode" not in str(caught.value)
    assert not trace.exists()


def test_an_hdf5_file_that_is_none(tmp_path):
    path = pathlib.Path(tmp_path / "model.h5")
    path.write_text("no model")
    with pytest.raises(InputError, match="is no HDF5 file"):
        load(path)
