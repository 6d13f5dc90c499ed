"""Small models that Keras itself saved, in each of its forms, and what it predicts by them: predictions.json.

Made by Keras 2.15 and Keras 3.15, one after the other:
    pip install "tensorflow-cpu==2.15.*" && python tests/golden/keras_forms/make.py
    pip install "keras==3.15.*" jax && KERAS_BACKEND=jax python tests/golden/keras_forms/make.py
"""

import json
import os
from importlib.metadata import version

import numpy as np

try:
    from tensorflow import keras
except ImportError:
    import keras

VERSION = int(version("keras").split(".")[0])
SYMBOLS, UNITS = 5, 3  # the newline, a, b, c, d
TEXT = [1, 2, 3, 4, 1, 1]

# name: layer, its arguments, embedding width, layers, bias of the head, optimizer
LAYERS, OPTIMIZERS = keras.layers, keras.optimizers
FORMS = {
    "lstm": (LAYERS.LSTM, {}, 4, 2, True, OPTIMIZERS.Adam(0.01)),
    "lstm_no_bias": (LAYERS.LSTM, {"use_bias": False}, None, 1, False, OPTIMIZERS.SGD(0.01, momentum=0.9)),
    "gru_after": (LAYERS.GRU, {"reset_after": True}, None, 1, True, OPTIMIZERS.RMSprop(0.01)),
    "gru_before": (LAYERS.GRU, {"reset_after": False}, 4, 1, True, OPTIMIZERS.AdamW(0.01)),
    "gru_no_bias": (LAYERS.GRU, {"use_bias": False}, None, 2, True, OPTIMIZERS.Adam(0.01)),
    "simple": (LAYERS.SimpleRNN, {}, None, 1, True, OPTIMIZERS.Adam(0.01)),
    "simple_no_bias": (LAYERS.SimpleRNN, {"use_bias": False}, 4, 1, True, OPTIMIZERS.SGD(0.01)),
}


def model_of(layer, arguments, embedding, count, bias):
    shape = (None,) if embedding else (None, SYMBOLS)
    inputs = [keras.Input(shape=shape)]
    stack = [LAYERS.Embedding(SYMBOLS, embedding)] if embedding else []
    for _ in range(count):
        stack += [layer(UNITS, return_sequences=True, **arguments), LAYERS.Dropout(0.25)]
    return keras.Sequential(inputs + stack + [LAYERS.Dense(SYMBOLS, activation="softmax", use_bias=bias)])


def main(folder):
    path = os.path.join(folder, "predictions.json")
    predictions = json.load(open(path)) if os.path.exists(path) else {}
    for name, (layer, arguments, embedding, count, bias, optimizer) in FORMS.items():
        keras.utils.set_random_seed(7)
        model = model_of(layer, arguments, embedding, count, bias)
        model.compile(loss="sparse_categorical_crossentropy", optimizer=optimizer)
        tokens = np.array([TEXT])
        inputs = tokens if embedding else np.eye(SYMBOLS, dtype="float32")[tokens]
        for _ in range(3):
            model.train_on_batch(inputs, np.array([TEXT[1:] + [0]]))
        # Values with which every bias and every gate matters.
        generator = np.random.default_rng(3)
        model.set_weights([generator.normal(0, 0.8, weight.shape).astype("float32") for weight in model.get_weights()])
        last = np.asarray(model.predict(inputs, verbose=0))[0, -1]
        # Every model in the form that this version of Keras is known for, two in its other form as well.
        usual, other = ("h5", "keras") if VERSION < 3 else ("keras", "h5")
        for ending in (usual, other) if name in ("lstm", "gru_before") else (usual,):
            file = f"{name}.{VERSION}.{ending}"
            model.save(os.path.join(folder, file))
            predictions[file] = [float(value) for value in last]
    with open(path, "w") as out:
        json.dump(predictions, out, indent=1, sort_keys=True)
        out.write("\n")


main(os.path.dirname(__file__))
