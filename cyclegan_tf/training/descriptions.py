"""Descriptions of a model in its checkpoints, and the differences between two of them."""

import json

import keras

from cyclegan_tf.training.replay_pool import ReplayPool

_LISTED = 5  # differences in one message

# Of a model, a layer or an optimizer: may change when training resumes, or has no effect.
_MAY_DIFFER = {"name", "learning_rate", "remat"}
# Of a layer: its random state is in the checkpoint, and image sizes belong to the model.
_OF_NO_LAYER = {"seed", "batch_shape"}


def description(model):
    """What must match for a checkpoint to fit, as JSON values.

    Layers, shapes of variables, names of losses, and under `settings` what changes the training of
    the same shapes. Checkpoints of earlier versions have no `settings`.
    """
    networks, optimizers = model.networks.values(), model.optimizers.values()
    return {
        "layers": [type(layer).__name__ for network in networks for layer in network.layers],
        "weights": [list(v.shape) for v in model.weights],
        "optimizers": [[list(v.shape) for v in each.variables] for each in optimizers],
        "losses": sorted(tracker.name for tracker in model.metrics),
        "pools": [layer.size for layer in model.layers if isinstance(layer, ReplayPool)],
        "settings": _settings(model),
    }


def differences(before, now):
    """The differences of two descriptions in one line, such as "lambda_a was 10.0, now 5.0"; or "".

    Settings that only one of them has belong to another version and are no difference.
    """
    before, now = dict(before), dict(now)
    if "losses" in before:  # of earlier versions in another order
        before["losses"] = sorted(before["losses"])
    lines = list(_lines(before.pop("settings", {}), now.pop("settings", {})))
    if not lines and before != now:
        lines = ["its networks, optimizers or losses are others"]
    more = [f"and {len(lines) - _LISTED} more"] if len(lines) > _LISTED else []
    return "; ".join(lines[:_LISTED] + more)


def _settings(model):
    settings = _plain(model)
    for name, network in model.networks.items():
        settings[name] = [
            {"class": type(layer).__name__, **_plain(layer, _OF_NO_LAYER)}
            for layer in _layers_within(network)
        ]
    for group, optimizer in model.optimizers.items():
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)
        kind = keras.saving.get_registered_name(type(optimizer))
        settings[f"{group}_optimizer"] = {"class": kind, **_plain(optimizer)}
    return settings


def _layers_within(network):
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            yield from _layers_within(layer)
        else:
            yield layer


def _plain(part, left_out=frozenset()):
    """Numbers, strings and lists of a configuration, without what Keras serializes as objects."""
    config = json.loads(json.dumps(part.get_config(), default=lambda _: {}))
    if "dtype" in config:
        config["dtype"] = part.dtype_policy.name
    return {
        name: value
        for name, value in config.items()
        if name not in _MAY_DIFFER | left_out
        and not isinstance(value, dict)
        and not name.endswith("_initializer")  # the weights are in the checkpoint
    }


def _lines(before, now, name=""):
    if isinstance(before, dict) and isinstance(now, dict):
        for key in before:
            if key in now:
                yield from _lines(before[key], now[key], f"{name}.{key}" if name else key)
    elif _are_layers(before) and _are_layers(now) and len(before) == len(now):
        for number, pair in enumerate(zip(before, now)):
            yield from _lines(*pair, f"{name}.layers[{number}]")
    elif _are_layers(before) and _are_layers(now):
        yield f"{name} had {len(before)} layers, now {len(now)}"
    elif before != now:
        yield f"{name} was {before!r}, now {now!r}"


def _are_layers(value):
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)
