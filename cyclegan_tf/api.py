"""The public names of the package, which `import cyclegan_tf` gives."""

from cyclegan_tf import data, keras2_weights, metrics, torch_weights
from cyclegan_tf.callbacks import KeepEpochs, RunPage, SampleSheet, SaveModel
from cyclegan_tf.checkpoints import Checkpoints
from cyclegan_tf.discriminators import patchgan, pixelgan, two_scale_patchgan
from cyclegan_tf.errors import InputError
from cyclegan_tf.export import export_keras, export_saved_model
from cyclegan_tf.generators import resnet_generator, unet_generator
from cyclegan_tf.layers import InstanceNormalization, ReflectionPadding2D
from cyclegan_tf.onnx_export import export_onnx
from cyclegan_tf.optimizers import Adam
from cyclegan_tf.pool import ReplayPool
from cyclegan_tf.schedules import ConstantThenLinearDecay
from cyclegan_tf.systems.cyclegan import CycleGAN
from cyclegan_tf.tflite.export import export_tflite
from cyclegan_tf.translator import Translator
from cyclegan_tf.web import export_web
