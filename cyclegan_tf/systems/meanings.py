"""What losses measure and which values are good, for those who know Keras but not GANs."""

import math

# The halved loss of a discriminator that cannot tell real images from translated ones; its
# generator's loss is then the same.
_UNDECIDED = {"lsgan": 0.25, "vanilla": math.log(2)}


class OfDiscriminator(str):
    """The meaning of a discriminator's loss, as text.

    Attributes:
        undecided: the loss of one that cannot tell real images from translated ones.
    """

    def __new__(cls, text, undecided):
        meaning = super().__new__(cls, text)
        meaning.undecided = undecided
        return meaning


def share_of_undecided(loss_panels, logs):
    """The losses of discriminators as shares of what they are if these cannot tell.

    Args:
        loss_panels: of a system.
        logs: losses by name.

    Returns:
        Shares by the name of the loss, for the losses whose meaning says it: near 0, the
        discriminator always tells.
    """
    meanings = {name: meaning for panel in loss_panels.values() for name, meaning in panel.items()}
    return {
        name: logs[name] / meaning.undecided
        for name, meaning in meanings.items()
        if isinstance(meaning, OfDiscriminator) and name in logs
    }


def of_discriminator(domain, adversarial, factor=1):
    """`factor`: of the halved loss in the objective."""
    return _of_judge(
        f"discriminator of {domain.upper()}, which tells real images from translated ones",
        adversarial,
        factor,
    )


def of_generator(direction, adversarial, factor=1):
    text = f"generator {' → '.join(direction.upper())} against the discriminator"
    if adversarial not in _UNDECIDED:
        return text
    value = f"{_UNDECIDED[adversarial] * factor:.2g}"
    return f"{text}; {value} if that is undecided, more if it is not fooled"


def of_cycle(domain):
    name = domain.upper()
    return f"images of {name} translated there and back, against the originals; it should fall"


def of_reconstruction(domain):
    name = domain.upper()
    return f"images of {name} encoded and decoded, against the originals; it should fall"


def of_divergence(of):
    return f"divergence of the codes of {of} from N(0, 1)"


def of_identity(domain):
    name = domain.upper()
    return f"images of {name} translated to {name}, against the originals; it should fall"


def of_penalty(domain):
    return (
        f"squared gradient of the discriminator of {domain.upper()} between real and translated "
        "images; it should stay small"
    )


def of_pair_discriminator(direction, adversarial):
    source, target = direction.upper()
    return _of_judge(
        f"discriminator of pairs, which tells true images of {target} from translated ones beside "
        f"their image of {source}",
        adversarial,
    )


def of_joint_discriminator(adversarial):
    return _of_judge(
        "discriminator of pairs, which tells images of A beside their translations from images of "
        "B beside theirs",
        adversarial,
    )


def of_class(images):
    """Of discriminators that share layers, for one kind of images of both domains."""
    return _of_judge(
        f"discriminators of A and B, which tell real images from generated ones, on {images}",
        "vanilla",
    )


def of_pair_generator():
    value = f"{_UNDECIDED['vanilla']:.2g}"
    return (
        "generators of A and B against the discriminators; "
        f"{value} if these are undecided, more if they are not fooled"
    )


def of_distance(direction):
    source, target = direction.upper()
    return f"images of {source} translated to {target}, against the true ones; it should fall"


def of_patches(domain, target):
    name, into = domain.upper(), target.upper()
    return (
        f"patches of images of {name} translated to {into}, against those of the originals; it "
        "should fall"
    )


def of_judged_features(direction):
    source, target = direction.upper()
    return (
        f"mean features, inside the discriminator, of images of {source} translated to {target}, "
        "against those of true ones; it should fall"
    )


def of_change(direction):
    source, target = direction.upper()
    return f"images of {source} translated to {target}, against the originals; it should stay small"


def of_features(direction):
    source, target = direction.upper()
    return (
        f"features of images of {source} translated to {target}, against those of the originals; "
        "it should stay small"
    )


def _of_judge(text, adversarial, factor=1):
    if adversarial not in _UNDECIDED:
        return text
    undecided = _UNDECIDED[adversarial] * factor
    return OfDiscriminator(
        f"{text}; {undecided:.2g} if it cannot, near 0 if it always can", undecided
    )
