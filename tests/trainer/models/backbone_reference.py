#!/usr/bin/env python3
"""Prints the table in backbone_reference.h: features of torchvision's networks in float64, with weights and images made by formula.

    pip install torch torchvision && python3 tests/trainer/models/backbone_reference.py

The formula is that of tests/trainer/models/formula.h.
"""
import numpy as np
import torch
import torchvision


def uniform(name, count):
    """count values in [-1, 1): SplitMix64 from the FNV-1a hash of the name."""
    key = 14695981039346656037
    for byte in name.encode():
        key = (key ^ byte) * 1099511628211 % 2**64
    with np.errstate(over="ignore"):
        z = np.uint64(key) + (np.arange(count, dtype=np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-52 - 1


def formula(name, shape):
    u = uniform(name, int(np.prod(shape))).reshape(shape)
    if len(shape) == 4:
        return u * np.sqrt(6 / np.prod(shape[1:]))
    if name.endswith("running_var"):
        return 1 + 0.3 * u
    if name.endswith("weight"):
        return 1 + 0.2 * u
    return 0.2 * u


@torch.no_grad()
def fill(network):
    for name, value in network.state_dict().items():
        if not name.startswith(("classifier", "fc", "AuxLogits")) and not name.endswith("num_batches_tracked"):
            value.copy_(torch.from_numpy(formula(name, tuple(value.shape))))


def tapped(network, name):
    """Forward through the children in order, up to and with `name`."""
    def forward(image):
        for child, layer in network.named_children():
            image = layer(image)
            if child == name:
                return image
    return forward



def row(name, tap, training, network, forward, side):
    fill(network)  # anew each time: training moves the running statistics
    network.train(training)
    images = torch.from_numpy(uniform("image", 2 * 3 * side * side).reshape(2, 3, side, side))
    value = forward(images)
    loss = (value * torch.from_numpy(uniform("slope", value.numel())).view_as(value)).sum()
    gradient, = torch.autograd.grad(loss, next(network.parameters()))
    flat = value.detach().flatten()
    picked = ", ".join(f"{flat[i * (len(flat) - 1) // 3].item():.13g}" for i in range(4))
    shape = ", ".join(map(str, value.shape))
    print(f'    {{"{name}", BackboneTap::{tap}, {str(training).lower()}, {side}, {{{shape}}}, {flat.mean().item():.13g}, '
          f"{flat.std(correction=0).item():.13g}, {{{picked}}}, {gradient.norm().item():.13g}}},")


torch.set_default_dtype(torch.float64)
vgg16 = torchvision.models.vgg16(weights=None, init_weights=False)
mobilenet_v2 = torchvision.models.mobilenet_v2(weights=None)
inception_v3 = torchvision.models.inception_v3(weights=None, init_weights=False, aux_logits=False, transform_input=False)

row("vgg16", "final", True, vgg16, vgg16.features, 64)
for training in (False, True):
    row("mobilenet_v2", "final", training, mobilenet_v2, mobilenet_v2.features, 96)
    row("mobilenet_v2", "generator", training, mobilenet_v2, tapped(mobilenet_v2.features, "13"), 96)
    row("inception_v3", "final", training, inception_v3, tapped(inception_v3, "Mixed_7c"), 107)
    row("inception_v3", "generator", training, inception_v3, tapped(inception_v3, "Mixed_6e"), 107)
