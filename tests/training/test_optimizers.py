import keras
import numpy as np
import pytest

from cyclegan_tf import Adam


def _algorithm_1(gradients, rate, beta_1, beta_2, epsilon):
    """Kingma & Ba, Algorithm 1, for one number that starts at 1."""
    x, m, v = 1.0, 0.0, 0.0
    for t, g in enumerate(gradients, 1):
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g * g
        x -= rate * (m / (1 - beta_1**t)) / (np.sqrt(v / (1 - beta_2**t)) + epsilon)
    return x


@pytest.mark.parametrize("size", [1.0, 1e-8])
def test_follows_algorithm_1_where_epsilon_weighs_too(size):
    gradients = size * np.array([1.0, -0.3, 0.2, 5.0, 0.01])
    variable = keras.Variable(1.0, dtype="float64")
    optimizer = Adam(0.1)
    optimizer.build([variable])
    for gradient in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(gradient, "float64")])
    expected = _algorithm_1(gradients, 0.1, 0.5, 0.999, 1e-8)
    np.testing.assert_allclose(float(variable.numpy()), expected, rtol=1e-6)


def test_l2_is_added_to_the_gradient():
    """As PyTorch's Adam does, whose first step is of the size of the rate whatever the gradient."""
    variables = [keras.Variable(x, dtype="float64") for x in (1.0, -2.0, 1.0)]
    optimizer = Adam(0.1, l2=0.5)
    optimizer.build(variables)
    gradients = (0.0, 0.0, -0.8)  # with l2 0.5, -1 and -0.3
    optimizer.apply([keras.ops.convert_to_tensor(each, "float64") for each in gradients])
    values = [float(variable.numpy()) for variable in variables]
    np.testing.assert_allclose(values, [0.9, -1.9, 1.1], rtol=1e-6)


def test_config_round_trip():
    adam = Adam(1e-3, beta_1=0.9, l2=1e-4)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(adam))
    assert isinstance(again, Adam)
    assert again.get_config() == adam.get_config()


@pytest.mark.parametrize("l2", [-1.0, float("nan")])
def test_l2_out_of_range_is_refused(l2):
    with pytest.raises(ValueError, match="l2 must be a finite number from 0 on"):
        Adam(l2=l2)


def test_amsgrad_is_refused():
    with pytest.raises(ValueError, match="AMSGrad"):
        Adam(amsgrad=True)
