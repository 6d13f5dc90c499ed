"""Small models that Keras saved in the middle of a training, one for each optimizer: continue_*.{keras,h5}, and what Keras
predicts after two more updates on the same text: continued.json.

Made by Keras 3.15 on TensorFlow 2.21:
    pip install "keras==3.15.*" "tensorflow-cpu==2.21.*" && python tests/golden/keras_forms/continue.py
"""

import json
import os

import keras
import numpy as np

SYMBOLS, UNITS = 5, 3  # the newline, a, b, c, d
TEXT = [1, 2, 3, 4, 1, 1]
OPTIMIZERS = {
    "adam": keras.optimizers.Adam(0.02),
    "adamw": keras.optimizers.AdamW(0.02, weight_decay=0.1),
    # Keras adds epsilon before the root is taken: with a small one it makes no difference.
    "rmsprop": keras.optimizers.RMSprop(0.02, rho=0.8, epsilon=1e-12),
    "momentum": keras.optimizers.SGD(0.1, momentum=0.9),
    "sgd": keras.optimizers.SGD(0.3),
}


def main(folder):
    inputs, targets = np.eye(SYMBOLS, dtype="float32")[[TEXT]], np.array([TEXT[1:] + [0]])
    continued = {}
    for name, optimizer in OPTIMIZERS.items():
        keras.utils.set_random_seed(7)
        layers = [keras.layers.GRU(UNITS, return_sequences=True), keras.layers.Dense(SYMBOLS, activation="softmax")]
        model = keras.Sequential([keras.Input(shape=(None, SYMBOLS)), *layers])
        model.compile(loss="sparse_categorical_crossentropy", optimizer=optimizer)
        for _ in range(3):
            model.train_on_batch(inputs, targets)
        for ending in ("keras", "h5") if name in ("adamw", "rmsprop", "momentum") else ("keras",):
            model.save(os.path.join(folder, f"continue_{name}.{ending}"))
        for _ in range(2):
            model.train_on_batch(inputs, targets)
        continued[name] = [float(value) for value in np.asarray(model.predict(inputs, verbose=0))[0, -1]]
    with open(os.path.join(folder, "continued.json"), "w") as out:
        json.dump(continued, out, indent=1)
        out.write("\n")


main(os.path.dirname(__file__))
