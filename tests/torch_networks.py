"""Plain PyTorch modules with the architectures and state dicts of the reference."""

import torch
from torch import nn


def _normalization(kind, channels, affine):
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    return nn.InstanceNorm2d(channels, affine=affine)


def resnet(blocks=9, filters=64, channels=(3, 3), norm="instance", affine=False, dropout=False):
    biased = norm == "instance"

    def layer(convolution, out):
        return [convolution, _normalization(norm, out, affine), nn.ReLU()]

    modules = [
        nn.ReflectionPad2d(3),
        *layer(nn.Conv2d(channels[0], filters, 7, bias=biased), filters),
    ]
    for width in (filters, 2 * filters):
        down = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, bias=biased)
        modules += layer(down, 2 * width)
    width = 4 * filters
    modules += [_Block(width, norm, affine, dropout) for _ in range(blocks)]
    for out in (2 * filters, filters):
        up = nn.ConvTranspose2d(2 * out, out, 3, 2, padding=1, output_padding=1, bias=biased)
        modules += layer(up, out)
    modules += [nn.ReflectionPad2d(3), nn.Conv2d(filters, channels[1], 7), nn.Tanh()]
    return _Named(model=nn.Sequential(*modules))


class _Block(nn.Module):
    def __init__(self, width, norm, affine, dropout):
        super().__init__()

        def half():
            convolution = nn.Conv2d(width, width, 3, bias=norm == "instance")
            return [nn.ReflectionPad2d(1), convolution, _normalization(norm, width, affine)]

        between = [nn.ReLU(), nn.Dropout(0.5)] if dropout else [nn.ReLU()]
        self.conv_block = nn.Sequential(*half(), *between, *half())

    def forward(self, x):
        return x + self.conv_block(x)


class _Named(nn.Module):
    """A sequence of modules under its name in the reference."""

    def __init__(self, **sequence):
        super().__init__()
        ((self._name, module),) = sequence.items()
        self.add_module(self._name, module)

    def forward(self, x):
        return getattr(self, self._name)(x)


def unet(halvings=8, filters=64, channels=(3, 3), norm="instance", affine=False):
    widths = [filters * min(2**level, 8) for level in range(halvings)]
    inner = None
    for level in reversed(range(halvings)):
        outside = channels[0] if level == 0 else widths[level - 1]
        result = channels[1] if level == 0 else widths[level - 1]
        inner = _Level(outside, widths[level], result, inner, level == 0, norm, affine)
    return _Named(model=inner)


class _Level(nn.Module):
    def __init__(self, outside, width, result, inner, outermost, norm, affine):
        super().__init__()
        biased = norm == "instance"
        down = nn.Conv2d(outside, width, 4, 2, 1, bias=biased)
        # What comes back from within is joined to its skip connection.
        joined = width if inner is None else 2 * width
        up = nn.ConvTranspose2d(joined, result, 4, 2, 1, bias=biased or outermost)
        if outermost:
            modules = [down, inner, nn.ReLU(), up, nn.Tanh()]
        else:
            modules = [nn.LeakyReLU(0.2), down]
            if inner is not None:
                modules += [_normalization(norm, width, affine), inner]
            modules += [nn.ReLU(), up, _normalization(norm, result, affine)]
        self.outermost = outermost
        self.model = nn.Sequential(*modules)

    def forward(self, x):
        y = self.model(x)
        return y if self.outermost else torch.cat([x, y], 1)


def patchgan(strided_layers=3, filters=64, channels=3, norm="instance", affine=False):
    modules = [nn.Conv2d(channels, filters, 4, 2, 1), nn.LeakyReLU(0.2)]
    width = filters
    for layer in range(1, strided_layers + 1):
        out, stride = filters * min(2**layer, 8), 2 if layer < strided_layers else 1
        convolution = nn.Conv2d(width, out, 4, stride, 1, bias=norm == "instance")
        modules += [convolution, _normalization(norm, out, affine), nn.LeakyReLU(0.2)]
        width = out
    return _Named(model=nn.Sequential(*modules, nn.Conv2d(width, 1, 4, 1, 1)))


def pixelgan(filters=64, channels=3, norm="instance", affine=False):
    biased = norm == "instance"
    return _Named(
        net=nn.Sequential(
            nn.Conv2d(channels, filters, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(filters, 2 * filters, 1, bias=biased),
            _normalization(norm, 2 * filters, affine),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * filters, 1, 1, bias=biased),
        )
    )


def with_random_tensors(module, seed=0):
    """Every tensor at random, biases and statistics included, so that a dropped one shows."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if name.endswith("running_var"):
                tensor.uniform_(0.5, 2, generator=generator)
            elif tensor.is_floating_point():
                fan_in = tensor[0].numel() if tensor.ndim == 4 else 4
                tensor.normal_(0, fan_in**-0.5, generator=generator)
    return module.eval()


def write_checkpoints(folder):
    """Four checkpoints of a reference run; the modules by file name."""
    folder.mkdir()
    modules = {
        "G_A": resnet(1, 4),
        "G_B": resnet(1, 4),
        "D_A": patchgan(2, 4),
        "D_B": patchgan(2, 4),
    }
    for seed, (name, module) in enumerate(modules.items()):
        with_random_tensors(module, seed)
        torch.save(module.state_dict(), folder / f"latest_net_{name}.pth")
    return modules
