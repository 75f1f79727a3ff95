"""The step of the published implementation in plain PyTorch, to compare with."""

import itertools

import torch
from torch import nn


def _normalize(convolution):
    return [convolution, nn.InstanceNorm2d(convolution.out_channels), nn.ReLU(True)]


class _Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        first = [nn.ReflectionPad2d(1), *_normalize(nn.Conv2d(width, width, 3))]
        second = [nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3), nn.InstanceNorm2d(width)]
        self.layers = nn.Sequential(*first, *second)

    def forward(self, x):
        return x + self.layers(x)


def generator(base_filters=64, blocks=9):
    f = base_filters
    up = {"stride": 2, "padding": 1, "output_padding": 1}
    return nn.Sequential(
        nn.ReflectionPad2d(3),
        *_normalize(nn.Conv2d(3, f, 7)),
        *_normalize(nn.Conv2d(f, 2 * f, 3, 2, 1)),
        *_normalize(nn.Conv2d(2 * f, 4 * f, 3, 2, 1)),
        *(_Block(4 * f) for _ in range(blocks)),
        *_normalize(nn.ConvTranspose2d(4 * f, 2 * f, 3, **up)),
        *_normalize(nn.ConvTranspose2d(2 * f, f, 3, **up)),
        nn.ReflectionPad2d(3),
        nn.Conv2d(f, 3, 7),
        nn.Tanh(),
    )


def discriminator(base_filters=64):
    f = base_filters
    layers = [nn.Conv2d(3, f, 4, 2, 1), nn.LeakyReLU(0.2, True)]
    for width, wider, stride in ((f, 2 * f, 2), (2 * f, 4 * f, 2), (4 * f, 8 * f, 1)):
        convolution = nn.Conv2d(width, wider, 4, stride, 1)
        layers += [convolution, nn.InstanceNorm2d(wider), nn.LeakyReLU(0.2, True)]
    return nn.Sequential(*layers, nn.Conv2d(8 * f, 1, 4, 1, 1))


class TorchStep:
    """Call it with nothing for one step on random images.

    Args:
        size, base_filters, blocks, lambda_identity: as in ours.
        bfloat16: autocast and channels-last, the faster of PyTorch's ways on such processors.
    """

    def __init__(self, size, base_filters=64, blocks=9, lambda_identity=0.5, bfloat16=False):
        torch.manual_seed(0)
        self.layout = torch.channels_last if bfloat16 else torch.contiguous_format
        self.bfloat16, self.lambda_identity = bfloat16, lambda_identity
        place = {"memory_format": self.layout}
        self.g_a, self.g_b = (generator(base_filters, blocks).to(**place) for _ in range(2))
        self.d_a, self.d_b = (discriminator(base_filters).to(**place) for _ in range(2))
        settings = {"lr": 2e-4, "betas": (0.5, 0.999)}
        self.optimizer_g = torch.optim.Adam(
            itertools.chain(self.g_a.parameters(), self.g_b.parameters()), **settings
        )
        self.optimizer_d = torch.optim.Adam(
            itertools.chain(self.d_a.parameters(), self.d_b.parameters()), **settings
        )
        self.a, self.b = (torch.rand(1, 3, size, size).mul(2).sub(1).to(**place) for _ in range(2))

    def __call__(self):
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16):
            fakes = self._generators()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16):
            self._discriminators(*fakes)

    def _generators(self):
        l1, mse = nn.functional.l1_loss, nn.functional.mse_loss
        self._freeze(True)
        fake_b, fake_a = self.g_a(self.a), self.g_b(self.b)
        loss = 10 * l1(self.g_b(fake_b), self.a) + 10 * l1(self.g_a(fake_a), self.b)
        for network, fake in ((self.d_b, fake_b), (self.d_a, fake_a)):
            logits = network(fake)
            loss = loss + mse(logits, torch.ones_like(logits))
        if self.lambda_identity:
            weight = 10 * self.lambda_identity
            loss = loss + weight * l1(self.g_a(self.b), self.b)
            loss = loss + weight * l1(self.g_b(self.a), self.a)
        self.optimizer_g.zero_grad()
        loss.backward()
        self.optimizer_g.step()
        self._freeze(False)
        return fake_a.detach(), fake_b.detach()

    def _discriminators(self, fake_a, fake_b):
        mse = nn.functional.mse_loss
        self.optimizer_d.zero_grad()
        for network, real, fake in ((self.d_a, self.a, fake_a), (self.d_b, self.b, fake_b)):
            on_real, on_fake = network(real), network(fake)
            loss = mse(on_real, torch.ones_like(on_real))
            (0.5 * (loss + mse(on_fake, torch.zeros_like(on_fake)))).backward()
        self.optimizer_d.step()

    def _freeze(self, frozen):
        for network in (self.d_a, self.d_b):
            network.requires_grad_(not frozen)
