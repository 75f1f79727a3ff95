import keras
import numpy as np
import pytest

from cyclegan_tf import Adam, RMSprop


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


def test_rmsprop_is_that_of_tensorflow_1():
    """The mean square is 1 at first, and epsilon is under the root."""
    variable = keras.Variable(3.0, dtype="float64")
    optimizer = RMSprop(0.25, rho=0.75, epsilon=0.5)
    optimizer.build([variable])
    expected, mean_square = 3.0, 1.0
    for gradient in (2.0, -0.5, 0.0):
        optimizer.apply([keras.ops.convert_to_tensor(gradient, "float64")])
        mean_square = 0.75 * mean_square + 0.25 * gradient**2
        expected -= 0.25 * gradient / np.sqrt(mean_square + 0.5)
        np.testing.assert_allclose(float(variable.numpy()), expected, rtol=1e-12)
    assert float(variable.numpy()) == pytest.approx(
        3 - 0.5 / np.sqrt(2.25) + 0.125 / np.sqrt(1.875)
    )


def test_rmsprop_goes_on_where_it_was_saved():
    """Building an optimizer again must not start its mean squares anew."""
    variables = [keras.Variable(3.0), keras.Variable(3.0)]
    optimizers = [RMSprop(0.1), RMSprop(0.1)]
    for optimizer, variable in zip(optimizers, variables):
        optimizer.build([variable])
    for _ in range(3):
        optimizers[0].apply([keras.ops.convert_to_tensor(2.0)])
    store = {}
    optimizers[0].save_own_variables(store)
    optimizers[1].load_own_variables(store)
    optimizers[1].build([variables[1]])
    variables[1].assign(variables[0])
    for optimizer in optimizers:
        optimizer.apply([keras.ops.convert_to_tensor(2.0)])
    assert float(variables[1].numpy()) == float(variables[0].numpy())


@pytest.mark.parametrize(
    "optimizer",
    [Adam(1e-3, beta_1=0.9, l2=1e-4), RMSprop(1e-3, rho=0.8, epsilon=1e-5, use_ema=True)],
)
def test_config_round_trip(optimizer):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(optimizer))
    assert type(again) is type(optimizer)
    assert again.get_config() == optimizer.get_config()


@pytest.mark.parametrize("l2", [-1.0, float("nan")])
def test_l2_out_of_range_is_refused(l2):
    with pytest.raises(ValueError, match="l2 must be a finite number from 0 on"):
        Adam(l2=l2)


def test_amsgrad_is_refused():
    with pytest.raises(ValueError, match="AMSGrad"):
        Adam(amsgrad=True)
