"""How the layers compute: with the fastest kernel, or with operators that converters support.

TensorFlow and oneDNN have several kernels for one function; which one runs depends on how the
function is written. `benchmarks/kernels.py` measures what each layer gets.
"""

import contextlib
import contextvars

import tensorflow as tf

_portable = contextvars.ContextVar("portable_kernels", default=False)


@contextlib.contextmanager
def portable_kernels():
    """Context manager: layers trace to operators that every converter supports, TFLite's too."""
    token = _portable.set(True)
    try:
        yield
    finally:
        _portable.reset(token)


def portable():
    """Whether layers are being traced within `portable_kernels`."""
    return _portable.get()


def plain_convolution(inputs, kernel):
    """A convolution of stride 1 without padding."""
    return tf.nn.conv2d(inputs, kernel, 1, "VALID")


def by_two_by_two(inputs, kernel):
    """The same for two by two pixels at once; the output's rows and columns must be even."""
    corners = [(0, 1), (1, 0)]  # positions of the kernel in one that is a row and a column larger
    kernels = [tf.pad(kernel, (y, x, (0, 0), (0, 0))) for y in corners for x in corners]
    outputs = tf.nn.conv2d(inputs, tf.concat(kernels, -1), 2, "VALID")  # (B, H/2, W/2, 4 C)
    return tf.nn.depth_to_space(outputs, 2)


def _upsampled_explicitly(inputs, kernel):
    batch, height, width, _ = _shape(inputs)
    shape = (batch, 2 * height, 2 * width, kernel.shape[2])
    return tf.nn.conv2d_transpose(inputs, kernel, shape, 2, ((0, 0), (1, 0), (1, 0), (0, 0)))


def _upsampled_and_sliced(inputs, kernel):
    batch, height, width, _ = _shape(inputs)
    shape = (batch, 2 * height + 1, 2 * width + 1, kernel.shape[2])
    return tf.nn.conv2d_transpose(inputs, kernel, shape, 2, "VALID")[:, 1:, 1:]


@tf.custom_gradient
def _upsampled_and_sliced_fast(inputs, kernel):
    """The same gradient; TensorFlow's takes up to 1.7 times as long, forward pass included."""

    def gradient(upstream):
        upstream = tf.pad(upstream, ((0, 0), (1, 0), (1, 0), (0, 0)))
        of_kernel = tf.raw_ops.Conv2DBackpropFilter(
            input=upstream,
            filter_sizes=kernel.shape,
            out_backprop=inputs,
            strides=[1, 2, 2, 1],
            padding="VALID",
        )
        return tf.nn.conv2d(upstream, kernel, 2, "VALID"), of_kernel

    return _upsampled_and_sliced(inputs, kernel), gradient


# One function in several forms: the way that TensorFlow is told which rows of a transposed
# convolution to drop determines which kernel computes it.
UPSAMPLING_FORMS = {
    "explicit": _upsampled_explicitly,
    "portable": _upsampled_and_sliced,
    "sliced": _upsampled_and_sliced_fast,
}


def upsampling_form(dtype):
    """The fastest of `UPSAMPLING_FORMS`; see `benchmarks/kernels.py` for what each costs.

    Explicit padding is best in float32 on all processors that were measured. In half precision
    oneDNN has no kernel for it without AMX, and TensorFlow's own takes 40 times as long.
    """
    return "sliced" if dtype in ("bfloat16", "float16") else "explicit"


def reflected(images, padding):
    """`tf.pad(mode="REFLECT")` on every side by concatenation, which takes half the time.

    The gradient is the one of `tf.pad`, whose kernel is faster in the backward pass.
    """
    least = padding + 1
    needs = f"Reflecting {padding} rows needs images of at least {least} by {least} pixels."
    if any(size is not None and size < least for size in images.shape[1:3]):
        raise ValueError(f"{needs} Received: {images.shape}")
    checks = []
    if None in images.shape[1:3]:
        checks = [tf.debugging.assert_greater_equal(tf.shape(images)[1:3], least, message=needs)]

    @tf.custom_gradient
    def reflect(images):
        # `tf.reverse`, because slices with a negative stride are slow.
        first, last = slice(1, padding + 1), slice(-padding - 1, -1)
        top, bottom = (tf.reverse(images[:, part], [1]) for part in (first, last))
        rows = tf.concat([top, images, bottom], 1)
        left, right = (tf.reverse(rows[:, :, part], [2]) for part in (first, last))
        outputs = tf.concat([left, rows, right], 2)

        def gradient(upstream):
            sides = (padding, padding)
            return tf.raw_ops.MirrorPadGrad(
                input=upstream, paddings=((0, 0), sides, sides, (0, 0)), mode="REFLECT"
            )

        return outputs, gradient

    with tf.control_dependencies(checks):
        return reflect(images)


def _shape(x):
    """The sizes of a tensor: integers if they are known while it is traced."""
    dynamic = tf.shape(x)
    return [dynamic[axis] if size is None else size for axis, size in enumerate(x.shape)]
