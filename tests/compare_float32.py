"""How far float32 runs stray from the float64 record, here and in plain PyTorch.

    python tests/compare_float32.py

Prints, for both recorded runs, the largest relative difference of a loss in each step.
"""

import numpy as np
import references
import torch
import torch_networks
from torch.nn.functional import l1_loss, mse_loss

from cyclegan_tf import ReplayPool


def here(reference):
    model = references.cyclegan(reference)
    references.replay_draws(reference, lambda call: setattr(ReplayPool, "call", call))
    model.compile(run_eagerly=True)
    for image_a, image_b in _pairs(reference):
        losses = model.train_on_batch(image_a, image_b, return_dict=True)
        model.reset_metrics()
        yield {references.REFERENCE_NAMES[name]: float(value) for name, value in losses.items()}


def plain_torch(reference, dtype):
    torch.set_default_dtype(dtype)
    networks = {name: _network(reference, name) for name in ("G_A", "G_B", "D_A", "D_B")}
    g_a, g_b, d_a, d_b = networks.values()
    adam_g, adam_d = (
        torch.optim.Adam([*one.parameters(), *other.parameters()], 2e-4, (0.5, 0.999))
        for one, other in ((g_a, g_b), (d_a, d_b))
    )
    pools = {name: _TorchPool(reference, name) for name in "AB"}
    for pair in _pairs(reference):
        a, b = (torch.tensor(np.moveaxis(image, -1, 1), dtype=dtype) for image in pair)
        fake_b, fake_a = g_a(a), g_b(b)
        losses = {
            "G_A": mse_loss(d_a(fake_b), torch.ones(())),
            "G_B": mse_loss(d_b(fake_a), torch.ones(())),
            "cycle_A": 10 * l1_loss(g_b(fake_b), a),
            "cycle_B": 10 * l1_loss(g_a(fake_a), b),
        }
        if reference["lambda_identity"]:
            losses["idt_A"] = 5 * l1_loss(g_a(b), b)
            losses["idt_B"] = 5 * l1_loss(g_b(a), a)
        adam_g.zero_grad()
        sum(losses.values()).backward()
        adam_g.step()
        shown_b, shown_a = pools["B"](fake_b.detach()), pools["A"](fake_a.detach())
        for name, judge, real, fake in (("D_A", d_a, b, shown_b), ("D_B", d_b, a, shown_a)):
            on_real = mse_loss(judge(real), torch.ones(()))
            losses[name] = (on_real + mse_loss(judge(fake), torch.zeros(()))) / 2
        adam_d.zero_grad()
        (losses["D_A"] + losses["D_B"]).backward()
        adam_d.step()
        yield {name: value.item() for name, value in losses.items()}


class _TorchPool:
    def __init__(self, reference, name):
        self.size, self.images = int(reference["pool_size"]), []
        self.draws = list(reference.get(f"pool_{name}_draws", ()))

    def __call__(self, batch):
        return torch.stack([self._exchange(image) for image in batch])

    def _exchange(self, image):
        if len(self.images) < self.size:
            self.images.append(image)
            return image
        if not self.size or self.draws.pop(0) <= 0.5:
            return image
        slot = int(self.draws.pop(0))
        stored, self.images[slot] = self.images[slot], image
        return stored


def _network(reference, name):
    build = torch_networks.resnet if name.startswith("G") else torch_networks.patchgan
    module = build(2 if name.startswith("G") else 3, 8)
    tensors = {k: torch.tensor(v) for k, v in reference.items() if k.startswith(name + ".")}
    module.load_state_dict({key.removeprefix(name + "."): t for key, t in tensors.items()})
    return module


def _pairs(reference):
    return zip(*(references.to_nhwc(reference[key]) for key in ("images_a", "images_b")))


def main():
    for run in ("train_lsgan_identity", "train_lsgan_pool"):
        reference = references.load(run)
        names = list(reference["loss_names"])
        for title, steps in (
            ("PyTorch, float64", plain_torch(reference, torch.float64)),
            ("PyTorch, float32", plain_torch(reference, torch.float32)),
            ("here, float32", here(reference)),
        ):
            worst = [
                max(abs(value / expected[names.index(name)] - 1) for name, value in losses.items())
                for losses, expected in zip(steps, reference["losses"])
            ]
            print(f"{run:21} {title:17}", *(f"{difference:.0e}" for difference in worst))


if __name__ == "__main__":
    main()
