#!/usr/bin/env python3
"""Trains the small network that lies beside this file: a multilayer perceptron that reads scikit-learn's digits.

    python3 examples/models/train_digits.py [OUT_DIR]

Needs torch, scikit-learn and safetensors. Writes digits-mlp.safetensors and digits-mlp.pt, which hold the same values.
Takes a quarter of a minute on one core; one thread and fixed seeds give the same weights on the same machine each time.
"""
import pathlib
import sys

import torch
from safetensors.torch import save_file
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

WIDTHS = [64, 256, 256, 128, 128, 10]
EPOCHS = 80
BATCH = 8
LEARNING_RATE = 0.01
SEED = 0


class DigitsMlp(nn.Module):
    def __init__(self):
        super().__init__()
        for i, (inputs, outputs) in enumerate(zip(WIDTHS, WIDTHS[1:]), start=1):
            setattr(self, f"fc{i}", nn.Linear(inputs, outputs))

    def forward(self, x):
        *hidden, last = self.children()
        for layer in hidden:
            x = torch.relu(layer(x))
        return last(x)


def digits():
    """Images as (n, 1, 8, 8) in 0..1 and labels: those to train on, then a stratified quarter that training never sees."""
    data = load_digits()
    split = train_test_split(data.images / 16, data.target, test_size=0.25, random_state=SEED, stratify=data.target)
    train_x, test_x = (torch.tensor(x, dtype=torch.float32)[:, None] for x in split[:2])
    train_y, test_y = (torch.tensor(y) for y in split[2:])
    return (train_x, train_y), (test_x, test_y)


def shifted(images):
    """Each image moved by up to one pixel up or down and left or right, so that the network cannot learn pixels by heart."""
    padded = nn.functional.pad(images, (1, 1, 1, 1))
    moves = torch.randint(0, 3, (len(images), 2)).tolist()
    return torch.stack([image[:, y : y + 8, x : x + 8] for image, (y, x) in zip(padded, moves)])


def train(model, images, labels):
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=0.9)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(images)).split(BATCH):
            loss = nn.functional.cross_entropy(model(shifted(images[batch]).flatten(1)), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()


@torch.no_grad()
def accuracy(model, images, labels):
    return (model(images.flatten(1)).argmax(1) == labels).float().mean().item()


def main():
    out = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    model = DigitsMlp()
    training, test = digits()
    train(model, *training)
    print(f"accuracy on {len(training[1])} training images: {accuracy(model, *training):.2%}")
    print(f"accuracy on {len(test[1])} test images: {accuracy(model, *test):.2%}")
    torch.save(model.state_dict(), out / "digits-mlp.pt")
    save_file(model.state_dict(), out / "digits-mlp.safetensors")


if __name__ == "__main__":
    main()
