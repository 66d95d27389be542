#!/usr/bin/env python3
"""Makes digits.bin from scikit-learn's load_digits (1,797 images of 8 x 8, UCI Optical Recognition of Handwritten Digits, CC BY 4.0):
for each image 64 bytes, 0 to 16, and the digit. Needs scikit-learn.
"""
import pathlib

import numpy as np
from sklearn.datasets import load_digits

digits = load_digits()
order = np.random.RandomState(0).permutation(len(digits.target))
rows = np.hstack([digits.data, digits.target[:, None]]).astype(np.uint8)[order]
(pathlib.Path(__file__).resolve().parent / "digits.bin").write_bytes(rows.tobytes())
