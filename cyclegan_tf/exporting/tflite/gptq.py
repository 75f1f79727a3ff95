"""GPTQ: rounds weights to few bits and compensates each error in the remaining weights.

Frantar et al. 2023, arXiv 2210.17323, for convolutions: it minimizes the change of their output
on real images. The mean over each image is left out, because the instance normalization that
follows removes it.
"""

import keras
import numpy as np
import tensorflow as tf

_DAMPING = 0.01  # of the mean of the diagonal; as in the paper
_CLIPPING = np.linspace(0.5, 1.0, 6)  # fractions of the largest weight, tried for each channel
_PATCHES = 8192  # from all images together, to round a layer with
_BLOCK = 64  # weights between two large updates of the rest
_JUDGED = 2  # images that layers are compared on


def fewest_bits(network, images, part, left_out=()):
    """A copy of a network with as few convolutions in 4 bits as the size allows.

    Each convolution is tried by itself. Those whose rounding changes the images most per byte
    saved stay as they are, as far as the size allows.

    Args:
        network: a functional Keras model in float32.
        images: float32 `(count, height, width, channels)` in [-1, 1].
        part: the fraction of their float32 size that the weights may have, if those that are not
            in 4 bits are in 8.
        left_out: names of layers that stay in float32.

    Returns:
        The copy, and the names of the layers that are in 4 bits.
    """
    convs = [
        layer
        for layer in network.layers
        if isinstance(layer, keras.layers.Conv2D) and layer.name not in left_out
    ]
    kernels = {
        conv.name: rounded(conv.get_weights()[0], covariance)
        for conv, covariance in zip(convs, input_covariances(network, convs, images))
    }
    costs = _errors_alone(network, kernels, images[:_JUDGED])
    bits = dict.fromkeys(kernels, 4)
    weights = {name: kernel.size for name, kernel in kernels.items()}
    left = part * 32 * network.count_params() - 8 * network.count_params()
    left += 4 * sum(weights.values())
    left -= 24 * sum(network.get_layer(name).count_params() for name in left_out)
    for name in sorted(kernels, key=lambda name: -costs[name] / weights[name]):
        if (left := left - 4 * weights[name]) < 0:
            break
        bits[name] = 8
    names = [name for name in kernels if bits[name] == 4]
    return _with_kernels(network, {name: kernels[name] for name in names}), names


def input_covariances(network, convolutions, images):
    """Input covariance of each kernel (GPTQ's Hessian).

    Args:
        network: a functional Keras model.
        convolutions: layers of it, `Conv2D`.
        images: float32 `(count, height, width, channels)` in [-1, 1].

    Returns:
        For each layer a matrix `(n, n)`, n being the kernel's height x width x input channels.
    """
    probe = keras.Model(network.input, {conv.name: conv.input for conv in convolutions})

    @tf.function(autograph=False)
    def of_one(image):
        inputs = probe(image, training=False)
        count = _PATCHES // len(images)
        return [_patches(conv, inputs[conv.name], count) for conv in convolutions]

    totals = [0] * len(convolutions)
    for image in images:
        for number, patches in enumerate(of_one(image[None])):
            totals[number] += _covariance(patches.numpy()) / np.float32(len(images))
    return totals


def rounded(kernel, covariance, bits=4):
    """A kernel on a grid of `bits` bits, symmetric and scaled by channel.

    Args:
        kernel: `(height, width, inputs, outputs)`.
        covariance: see `input_covariances`.
        bits: of each weight.

    Returns:
        The kernel, of the same shape. In each channel the largest weight is at the end of the
        grid, so that a converter that scales by the largest weight finds the same grid.
    """
    most = 2 ** (bits - 1) - 1
    weights = np.float64(kernel.reshape(-1, kernel.shape[-1]))  # (n, outputs)
    damping = _DAMPING * np.trace(covariance) / len(covariance)
    hessian = np.float64(covariance) + max(damping, 1e-12) * np.eye(len(covariance))
    scale = _best_scale(weights, hessian, most)
    steps = _gptq(weights / scale, hessian, most)
    # If a channel has no weight at the end of the grid, the largest goes there.
    largest = np.abs(weights).argmax(axis=0)
    short = np.flatnonzero(np.abs(steps).max(axis=0) < most)
    steps[largest[short], short] = most * np.sign(weights[largest[short], short])
    return np.float32(steps * scale).reshape(kernel.shape)


def _patches(conv, inputs, count):
    """The patches under a kernel at about `count` positions, `(positions, n)`, evenly spread.

    Only these are made: all patches of a 7x7 kernel are 49 times as large as its inputs.
    """
    sizes = tuple(inputs.shape[1:3])
    rows, columns = (_along(conv, axis, sizes[axis]) for axis in (0, 1))
    # The step is not an integer: one that divides the width would give only a few columns.
    total = len(rows) * len(columns)
    positions = np.linspace(0, total - 1, min(count, total)).round().astype(int)
    rows = rows[positions // len(columns)][:, :, None]  # (positions, kernel height, 1)
    columns = columns[positions % len(columns)][:, None, :]
    outside = (rows < 0) | (rows >= sizes[0]) | (columns < 0) | (columns >= sizes[1])
    pixels = np.clip(rows, 0, sizes[0] - 1) * sizes[1] + np.clip(columns, 0, sizes[1] - 1)
    patches = tf.gather(tf.reshape(inputs, (-1, inputs.shape[-1])), pixels)
    patches *= tf.constant(~outside[..., None], patches.dtype)  # zeros, where it is padded
    return tf.reshape(patches, (len(positions), -1))


def _along(conv, axis, size):
    """The rows (or columns) under a kernel at each of its positions, `(positions, kernel size)`."""
    kernel, step, dilation = (
        each[axis] for each in (conv.kernel_size, conv.strides, conv.dilation_rate)
    )
    extent = (kernel - 1) * dilation + 1
    if conv.padding == "valid":
        count, before = (size - extent) // step + 1, 0
    else:
        count = -(-size // step)
        before = max((count - 1) * step + extent - size, 0) // 2
    return step * np.arange(count)[:, None] - before + dilation * np.arange(kernel)


def _covariance(patches):
    centered = patches - patches.mean(axis=0)
    return centered.T @ centered / len(patches)


def _best_scale(weights, hessian, most):
    """For each channel, the grid step with which plain rounding changes the output least."""
    largest = np.maximum(np.abs(weights).max(axis=0), 1e-12)
    best, least = largest / most, np.full(weights.shape[1], np.inf)
    for part in _CLIPPING:
        scale = part * largest / most
        change = np.float32(weights - scale * np.clip(np.round(weights / scale), -most, most))
        error = np.einsum("no,no->o", change, np.float32(hessian) @ change)
        best, least = np.where(error < least, scale, best), np.minimum(error, least)
    return best


def _gptq(weights, hessian, most):
    """Rounds weight after weight; the rest of a channel compensates each error."""
    # The upper Cholesky factor of the inverse holds what every step needs (section 3.3 there).
    factor = np.linalg.cholesky(np.linalg.inv(hessian)).T
    weights, steps = weights.copy(), np.empty_like(weights)
    for begin in range(0, len(weights), _BLOCK):
        end = min(begin + _BLOCK, len(weights))
        errors = np.empty((end - begin, weights.shape[1]))
        for number in range(begin, end):
            steps[number] = np.clip(np.round(weights[number]), -most, most)
            error = (weights[number] - steps[number]) / factor[number, number]
            weights[number + 1 : end] -= np.outer(factor[number, number + 1 : end], error)
            errors[number - begin] = error
        weights[end:] -= factor[begin:end, end:].T @ errors
    return steps


def _errors_alone(network, kernels, images):
    """Mean squared difference of the images if only one layer is rounded."""
    expected = network.predict(images, batch_size=1, verbose=0)
    copy = _with_kernels(network, {})
    errors = {}
    for name, kernel in kernels.items():
        layer = copy.get_layer(name)
        before = layer.get_weights()
        layer.set_weights([kernel, *before[1:]])
        outputs = copy.predict(images, batch_size=1, verbose=0)
        errors[name] = float(np.square(outputs - expected).mean())
        layer.set_weights(before)
    return errors


def _with_kernels(network, kernels):
    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    for name, kernel in kernels.items():
        layer = copy.get_layer(name)
        layer.set_weights([kernel, *layer.get_weights()[1:]])
    return copy
