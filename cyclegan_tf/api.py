"""The public names of the package, which `import cyclegan_tf` gives."""

from cyclegan_tf import data, metrics
from cyclegan_tf.errors import InputError, TrainingDiverged
from cyclegan_tf.exporting import tflite
from cyclegan_tf.exporting.export import export, export_keras, export_saved_model
from cyclegan_tf.exporting.onnx import export_onnx
from cyclegan_tf.exporting.tflite.export import export_tflite
from cyclegan_tf.exporting.web import export_web
from cyclegan_tf.interop import keras2_weights, torch_weights
from cyclegan_tf.networks.discriminators import (
    local_discriminator,
    patchgan,
    pixelgan,
    two_scale_patchgan,
)
from cyclegan_tf.networks.encoder_decoder import encoder_decoder, encoder_discriminator
from cyclegan_tf.networks.generators import refiner, resnet_generator, unet_generator
from cyclegan_tf.networks.hed import HED
from cyclegan_tf.networks.layers import InstanceNormalization, ReflectionPadding2D
from cyclegan_tf.runs.callbacks import KeepEpochs, RunPage, SampleSheet, SaveModel
from cyclegan_tf.runs.evaluate_callback import Evaluate
from cyclegan_tf.runs.evaluation import evaluate
from cyclegan_tf.runs.extractors import extractor
from cyclegan_tf.runs.held_out import Classes, HeldOut
from cyclegan_tf.runs.load import load
from cyclegan_tf.runs.segmenter import segmenter
from cyclegan_tf.systems.base import System
from cyclegan_tf.systems.bigan import BiGAN
from cyclegan_tf.systems.cogan import CoGAN
from cyclegan_tf.systems.cut import CUT
from cyclegan_tf.systems.cyclegan import CycleGAN
from cyclegan_tf.systems.discogan import DiscoGAN
from cyclegan_tf.systems.dualgan import DualGAN
from cyclegan_tf.systems.featuregan import FeatureGAN
from cyclegan_tf.systems.pix2pix import Pix2Pix
from cyclegan_tf.systems.simgan import SimGAN
from cyclegan_tf.systems.unit import UNIT
from cyclegan_tf.training.checkpoints import Checkpoints
from cyclegan_tf.training.optimizers import Adam, RMSprop
from cyclegan_tf.training.replay_pool import ReplayPool
from cyclegan_tf.training.schedules import ConstantThenLinearDecay
from cyclegan_tf.translation.translator import Translator
