"""CycleGAN as usual Keras code has it: what `train_step.py` and others compare with.

After the example of keras.io: normalization by `GroupNormalization(groups=1)`, each network called
on one image at a time, biases everywhere, four optimizers, Keras's defaults otherwise. The
networks have the sizes of ours, and the losses are the same; no pool of earlier images.
"""

import keras
import tensorflow as tf
from keras import layers


def _normalize(x):
    return layers.GroupNormalization(groups=1)(x)


def _reflected(x, rows):
    return layers.Lambda(
        lambda t: tf.pad(t, [[0, 0], [rows, rows], [rows, rows], [0, 0]], mode="REFLECT"),
        output_shape=(None, None, x.shape[-1]),
    )(x)


def generator(base_filters=64, blocks=9):
    image = x = keras.Input((None, None, 3))
    x = layers.Conv2D(base_filters, 7)(_reflected(x, 3))
    x = layers.ReLU()(_normalize(x))
    for filters in (2 * base_filters, 4 * base_filters):
        x = layers.ReLU()(_normalize(layers.Conv2D(filters, 3, 2, padding="same")(x)))
    for _ in range(blocks):
        shortcut = x
        x = layers.ReLU()(_normalize(layers.Conv2D(4 * base_filters, 3)(_reflected(x, 1))))
        x = layers.Add()([shortcut, _normalize(layers.Conv2D(x.shape[-1], 3)(_reflected(x, 1)))])
    for filters in (2 * base_filters, base_filters):
        x = layers.Conv2DTranspose(filters, 3, 2, padding="same")(x)
        x = layers.ReLU()(_normalize(x))
    x = layers.Conv2D(3, 7)(_reflected(x, 3))
    return keras.Model(image, layers.Activation("tanh", dtype="float32")(x))


def discriminator(base_filters=64, strided_layers=3):
    image = keras.Input((None, None, 3))
    x = layers.LeakyReLU(0.2)(layers.Conv2D(base_filters, 4, 2, padding="same")(image))
    for layer in range(1, strided_layers + 1):
        strides = 2 if layer < strided_layers else 1
        x = layers.Conv2D(base_filters * min(2**layer, 8), 4, strides, padding="same")(x)
        x = layers.LeakyReLU(0.2)(_normalize(x))
    return keras.Model(image, layers.Conv2D(1, 4, padding="same", dtype="float32")(x))


class UsualCycleGAN(keras.Model):
    """Two generators, two discriminators, four optimizers and a persistent tape."""

    def __init__(self, base_filters=64, blocks=9, lambda_identity=0.5):
        super().__init__()
        self.gen_g, self.gen_f = (generator(base_filters, blocks) for _ in range(2))
        self.disc_x, self.disc_y = (discriminator(base_filters) for _ in range(2))
        self.lambda_identity = lambda_identity

    def compile(self, **kwargs):
        super().compile(**kwargs)
        self.optimizers = [keras.optimizers.Adam(2e-4, beta_1=0.5) for _ in range(4)]

    def train_step(self, data):
        real_x, real_y = data
        absolute, squared = keras.losses.MeanAbsoluteError(), keras.losses.MeanSquaredError()
        with tf.GradientTape(persistent=True) as tape:
            fake_y, fake_x = self.gen_g(real_x, training=True), self.gen_f(real_y, training=True)
            cycled_x, cycled_y = (
                self.gen_f(fake_y, training=True),
                self.gen_g(fake_x, training=True),
            )
            judged = [
                network(image, training=True)
                for network, image in (
                    (self.disc_x, real_x),
                    (self.disc_x, fake_x),
                    (self.disc_y, real_y),
                    (self.disc_y, fake_y),
                )
            ]
            ones = [tf.ones_like(logits) for logits in judged]
            loss_g = squared(ones[3], judged[3]) + 10.0 * absolute(real_y, cycled_y)
            loss_f = squared(ones[1], judged[1]) + 10.0 * absolute(real_x, cycled_x)
            if self.lambda_identity:
                weight = 10.0 * self.lambda_identity
                loss_g += weight * absolute(real_y, self.gen_g(real_y, training=True))
                loss_f += weight * absolute(real_x, self.gen_f(real_x, training=True))
            total = loss_g + loss_f
            loss_x = 0.5 * (squared(ones[0], judged[0]) + squared(0 * ones[1], judged[1]))
            loss_y = 0.5 * (squared(ones[2], judged[2]) + squared(0 * ones[3], judged[3]))
        networks = (self.gen_g, self.gen_f, self.disc_x, self.disc_y)
        for loss, network, optimizer in zip(
            (total, total, loss_x, loss_y), networks, self.optimizers
        ):
            variables = network.trainable_variables
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
        return {"g": loss_g, "f": loss_f, "x": loss_x, "y": loss_y}
