"""The Python functions, given what they are not for: a sentence, or what was meant."""

import keras
import numpy as np
import pytest
from hostile import untouched
from PIL import Image
from tiny import SHAPE, smooth, tiny_images, tiny_model, traced_model

from cyclegan_tf import CycleGAN, InputError, data, export_saved_model

# What tests of the parts show already.
ELSEWHERE = {
    "translate: floats 0..255, NaN, int64, rank 2, 1 channel, 0x0": (
        "test_translate_says_what_is_wrong"
    ),
    "translate: direction": "test_translate_names_an_unknown_direction",
    "translate: list of mixed sizes": "test_translate_takes_lists_of_different_sizes",
    "fit: floats 0..255, NaN": "test_float_images_out_of_range_are_refused",
    "fit: uint8, single array, other size": "test_training_images_of_another_kind_are_refused",
    "fit: rank 3": "test_images_without_a_batch_are_refused_after_good_ones_too",
    "fit: a third element": "test_a_third_part_of_a_training_element_is_refused",
    "CycleGAN: λ<0, adversarial, image_shape, seed, (0, 0, 3)": "test_bad_arguments_are_named",
    "CycleGAN: one generator for both directions": ("test_networks_that_cannot_be_used_are_named"),
    "data.scenes(seed=-1), count 0, size": "test_scenes_name_bad_arguments",
    "data: batch of more than there are": "test_arguments_that_cannot_work_are_named",
    "data.arrays: floats, empty": "test_arrays_of_another_kind_are_refused",
    "data.folders: missing": "test_folders_name_what_is_missing",
    "export_tflite(model, …, image_size=7)": "test_a_number_is_the_size_of_a_square",
    "model.save('x.h5')": "test_files_that_cannot_hold_a_system_are_refused",
    "summary": "test_summary_counts_all_networks",
    "predict": "test_predict_translates_a_to_b",
    "evaluate": "test_evaluate_is_the_same_twice_and_changes_nothing",
}


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (np.zeros((8, 8, 3), np.uint16), "uint16"),
        (np.zeros((8, 8, 3), bool), "bool"),
        (np.zeros((1, 1, 8, 8, 3), np.uint8), r"\(1, 1, 8, 8, 3\)"),
        (np.zeros((8, 8, 4), np.uint8), "3 channels"),
        (None, r"Received: \(\)"),
        ("photo.jpg", r"Received: \(\)"),
        ([], None),
    ],
    ids=["uint16", "bool", "rank 5", "RGBA", "None", "a name", "no images"],
)
def test_translate_takes_images_only(images, sentence, model):
    if sentence is None:
        assert model.translate(images) == []
        return
    with pytest.raises(InputError, match=sentence) as refused:
        model.translate(images)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((0, 8, 8, 3), np.uint8),
        np.zeros((1, 1, 3), np.uint8),
        smooth(2000, 3),
        np.float32(smooth()) / 255,  # dark images in [-1, 1] look like it
        np.float64(smooth()) / 255,
        Image.fromarray(smooth()),
        smooth()[::-1, ::-2],
    ],
    ids=["empty batch", "1x1", "3x2000", "floats 0..1", "float64", "of Pillow", "a view"],
)
def test_translate_keeps_the_shape(images, model):
    translated = model.translate(images)
    assert translated.shape == np.asarray(images).shape
    assert translated.dtype == (np.uint8 if np.asarray(images).dtype == np.uint8 else np.float32)


@pytest.fixture(scope="module")
def system():
    return traced_model()


def test_fit_takes_images_of_its_channels(system):
    gray, _ = tiny_images(1, shape=(*SHAPE[:2], 1))
    with pytest.raises(ValueError, match=r"in domain A; received .* shape \(32, 32, 1\)"):
        system.fit(gray, gray, verbose=0)


def test_batches_of_a_and_b_may_differ():
    (a, _), (b, _) = tiny_images(1), tiny_images(2)
    losses = traced_model().train_on_batch(a, b, return_dict=True)
    assert np.isfinite(list(losses.values())).all()


def test_what_keras_refuses_stays_one_sentence():
    with pytest.raises(ValueError, match="compile"):
        tiny_model(compiled=False).fit(*tiny_images(1), verbose=0)
    with pytest.raises((TypeError, ValueError), match="lambda_c"):
        CycleGAN(image_shape=SHAPE, lambda_c=1)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: data.scenes(count=-1), "-1"),
        (lambda: data.scenes(image_size=7), "7"),
        (lambda: data.scenes(count=4, batch_size=10), "A batch of 10 needs as many"),
        (lambda: data.arrays(*[np.full((1, 8, 8, 3), np.nan)] * 2), "float64"),
        (lambda: data.arrays(*[np.zeros((8, 8, 3), np.uint8)] * 2), r"\(8, 3\)"),
        (lambda: data.folders(__file__), "is a file|does not exist"),
        (lambda: data.folders(__file__, __file__), "is a file"),
        (lambda: data.folders("x", "y", image_size=0), "at least 1"),
    ],
    ids=["-1 scenes", "size 7", "batch 10", "NaN", "rank 3", "a file", "two files", "size 0"],
)
def test_data_of_nothing(make, sentence):
    with pytest.raises(InputError, match=sentence) as refused:
        make()
    assert "\n" not in str(refused.value)


def test_a_saved_model_does_not_replace_a_file(model, tmp_path):
    (tmp_path / "mine").write_text("weeks of work")
    with untouched(tmp_path), pytest.raises((InputError, NotADirectoryError)):
        export_saved_model(model, tmp_path / "mine")


def test_a_system_is_copied_by_every_way_of_keras(system, tmp_path):
    images, _ = tiny_images(2)
    expected = system.predict(images, verbose=0)
    system.save_weights(tmp_path / "x.weights.h5")
    copies = [
        keras.models.clone_model(system),
        CycleGAN.from_config(system.get_config()),
        keras.models.model_from_json(system.to_json()),
    ]
    for copy in copies:
        assert isinstance(copy, CycleGAN)
        copy.load_weights(tmp_path / "x.weights.h5")
        np.testing.assert_array_equal(copy.predict(images, verbose=0), expected)
