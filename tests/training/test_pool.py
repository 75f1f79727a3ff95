"""The replay pool against a plain Python list that follows the paper's rule."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from two_replicas import two_replicas

from cyclegan_tf import ReplayPool

SHAPE = (2, 2, 1)


def _images(*numbers):
    return np.array(numbers, "float32").reshape(-1, 1, 1, 1) * np.ones((1, *SHAPE), "float32")


def _numbers(images):
    return np.array(images)[:, 0, 0, 0].tolist()


class _ListPool:
    def __init__(self, size):
        self.size, self.stored = size, []

    def exchange(self, images, coins, slots):
        returned = []
        for image, coin, slot in zip(images, coins, slots):
            if len(self.stored) < self.size:
                self.stored.append(image)
            elif coin > 0.5:
                image, self.stored[slot] = self.stored[slot], image
            returned.append(image)
        return returned


def test_follows_the_rule_in_every_batch():
    rng = np.random.default_rng(0)
    pool, expected = ReplayPool(4, SHAPE), _ListPool(4)
    exchange = tf.function(pool.exchange)
    for step in range(30):
        numbers = [3 * step, 3 * step + 1, 3 * step + 2]
        coins = rng.random(3).astype("float32")
        slots = rng.integers(4, size=3).astype("int32")
        returned = exchange(_images(*numbers), tf.constant(coins), tf.constant(slots))
        assert _numbers(returned) == expected.exchange(numbers, coins, slots)
        assert _numbers(pool.images)[: len(expected.stored)] == expected.stored


def test_fills_first_and_returns_what_it_is_given_meanwhile():
    pool = ReplayPool(5, SHAPE)
    for number in range(5):
        assert _numbers(pool(_images(number), seed=tf.constant([0, number]))) == [number]
    assert int(pool.count) == 5


def test_half_of_the_images_are_older_ones():
    pool = ReplayPool(50, SHAPE)
    numbers = np.arange(2000)
    returned = _numbers(pool(_images(*numbers), seed=tf.constant([1, 2])))
    older = np.mean(np.array(returned[50:]) != numbers[50:])
    assert 0.46 < older < 0.54
    assert len(set(returned)) > 1900  # each stored image is given out once


def test_the_seed_alone_decides():
    first, second = ReplayPool(2, SHAPE), ReplayPool(2, SHAPE)
    for step in range(20):
        seed = tf.constant([7, step])
        given = _images(step)
        assert _numbers(first(given, seed=seed)) == _numbers(second(given, seed=seed))


def test_size_0_is_off():
    pool = ReplayPool(0, (None, None, 3))
    images = tf.ones((1, 8, 8, 3))
    assert pool(images, seed=tf.constant([0, 0])) is images
    assert pool.weights == []


def test_compiles_with_xla():
    pool = ReplayPool(2, SHAPE)
    compiled = tf.function(lambda x, seed: pool(x, seed=seed), jit_compile=True)
    twin = ReplayPool(2, SHAPE)
    for step in range(10):
        seed, given = tf.constant([3, step]), _images(step, step + 100)
        assert _numbers(compiled(given, seed)) == _numbers(twin(given, seed=seed))


def test_each_replica_has_its_own():
    strategy = two_replicas()
    with strategy.scope():
        pool = ReplayPool(3, SHAPE)

    @tf.function
    def step(number):
        def replica():
            own = tf.distribute.get_replica_context().replica_id_in_sync_group
            image = tf.ones((1, *SHAPE)) * (number + 100.0 * tf.cast(own, tf.float32))
            return pool(image, seed=tf.constant([0, 0]))

        return strategy.run(replica)

    for number in range(3):
        step(tf.constant(float(number)))
    first, second = pool.images.values
    assert _numbers(first) == [0, 1, 2]
    assert _numbers(second) == [100, 101, 102]


def test_saves_and_loads(tmp_path):
    inputs = keras.Input(SHAPE)
    model = keras.Sequential([inputs, keras.layers.Flatten()])
    model.pool = ReplayPool(3, SHAPE)
    model.pool(_images(5, 6), seed=tf.constant([0, 0]))
    model.save_weights(tmp_path / "x.weights.h5")
    again = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten()])
    again.pool = ReplayPool(3, SHAPE)
    again.load_weights(tmp_path / "x.weights.h5")
    assert _numbers(again.pool.images) == [5, 6, 0]
    assert int(again.pool.count) == 2


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="size=-1"):
        ReplayPool(-1, SHAPE)
    with pytest.raises(ValueError, match="turn the pool off"):
        ReplayPool(50, (None, None, 3))


def test_configurations_of_earlier_versions_are_read():
    pool = ReplayPool(2, SHAPE)
    config = pool.get_config()
    earlier = {**config, "picture_shape": config["image_shape"]}
    del earlier["image_shape"]
    assert ReplayPool.from_config(earlier).get_config() == config


def test_half_of_a_batch_is_from_history_without_a_coin():
    """The first half, rounded up, passes; each of the rest is exchanged once the pool is full."""
    pool = ReplayPool(2, (1, 1, 1), half_history=True)
    assert ReplayPool.from_config(pool.get_config()).half_history
    numbers = iter(range(1, 100))

    def step(count, seed):
        given = [next(numbers) for _ in range(count)]
        images = np.reshape(np.float32(given), (count, 1, 1, 1))
        shown = pool(images, seed=tf.constant([seed, 0], tf.int32)).numpy().ravel().tolist()
        return given, shown

    given, shown = step(5, seed=0)  # fills it with 4 and 5
    assert shown == given
    stored = set(given[3:])
    for seed in range(1, 9):
        given, shown = step(3, seed)
        assert shown[:2] == given[:2]
        assert shown[2] in stored
        stored = stored - {shown[2]} | {given[2]}
        assert set(pool.images.numpy().ravel()) == stored
    given, shown = step(1, seed=9)
    assert shown == given
    assert set(pool.images.numpy().ravel()) == stored
