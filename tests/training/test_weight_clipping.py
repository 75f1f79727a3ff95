import keras
import numpy as np
import pytest
import tensorflow as tf
from two_replicas import two_replicas

from cyclegan_tf.training.weight_clipping import clip_weights


@pytest.mark.parametrize("make", [tf.distribute.get_strategy, two_replicas])
def test_each_weight_is_clipped_in_each_replica(make):
    strategy = make()
    with strategy.scope():
        variables = [keras.Variable([[0.5, -0.25], [-2.0, 0.0]]), keras.Variable(3.0)]
    tf.function(strategy.run)(lambda: clip_weights(variables, 0.5))
    for variable, expected in zip(variables, ([[0.5, -0.25], [-0.5, 0.0]], 0.5)):
        for copy in strategy.experimental_local_results(variable.value):
            np.testing.assert_array_equal(copy, expected)
