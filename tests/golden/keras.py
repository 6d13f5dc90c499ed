"""A model file as Keras writes it, in the oldest form of HDF5, which the notebooks' file has too: keras.h5.

Two LSTM layers of 2 over 27 symbols, with Adam's state after 7 updates. Made with h5py 3.16.0 and NumPy:
    python tests/golden/keras.py tests/golden/keras.h5
"""

import json
import sys

import h5py
import numpy as np

SYMBOLS, UNITS = 27, 2
lstm = lambda name: {
    "class_name": "LSTM",
    "config": {
        "name": name, "units": UNITS, "activation": "tanh", "recurrent_activation": "hard_sigmoid", "use_bias": True,
    },
}
layers = [
    lstm("lstm_1"),
    {"class_name": "Dropout", "config": {"name": "dropout_1", "rate": 0.5}},
    lstm("lstm_2"),
    {"class_name": "Dropout", "config": {"name": "dropout_2", "rate": 0.5}},
    {"class_name": "Dense", "config": {"name": "dense", "activation": "softmax", "use_bias": True}},
]
training = {
    "optimizer_config": {
        "class_name": "Adam", "config": {"lr": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8},
    }
}
weights = {
    "lstm_1": {"kernel": (SYMBOLS, 4 * UNITS), "recurrent_kernel": (UNITS, 4 * UNITS), "bias": (4 * UNITS,)},
    "lstm_2": {"kernel": (UNITS, 4 * UNITS), "recurrent_kernel": (UNITS, 4 * UNITS), "bias": (4 * UNITS,)},
    "dense": {"kernel": (UNITS, SYMBOLS), "bias": (SYMBOLS,)},
}


def values(shape):
    size = int(np.prod(shape))
    return (np.arange(size, dtype=np.float32) / np.float32(size) - np.float32(0.5)).reshape(shape)


with h5py.File(sys.argv[1], "w", libver="earliest") as file:
    file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": layers}).encode()
    file.attrs["training_config"] = json.dumps(training).encode()
    for layer, shapes in weights.items():
        group = file.create_group(f"model_weights/{layer}")
        group.attrs["weight_names"] = np.array([f"{layer}/{name}:0" for name in shapes], dtype="S")
        for name, shape in shapes.items():
            group[f"{layer}/{name}:0"] = values(shape)
    group = file.create_group("optimizer_weights")
    names = ["Adam/iterations:0"]
    group["Adam/iterations:0"] = np.int64(7)
    for moment in ("m", "v"):
        for layer, shapes in weights.items():
            for name, shape in shapes.items():
                names.append(f"training/Adam/{layer}/{name}/{moment}:0")
                group[names[-1]] = np.abs(values(shape))
    group.attrs["weight_names"] = np.array(names, dtype="S")
