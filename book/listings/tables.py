r"""The displayed formulas of parts I to III that are not a cell's, each beside the function of `twins.py` that computes it.

A formula that changes on its page is not found here any more: write it here again, beside its function.
"""

FORMULAS = {
    # Data and vocabulary.
    r"x^{\langle 1 \rangle} = \vec{0}, \quad x^{\langle t+1 \rangle} = c_t, \qquad y^{\langle t \rangle} = c_t, "
    r"\quad y^{\langle T+1 \rangle} = \text{newline}": "example",
    # A bigram first.
    r"p(c_1 c_2 \dots c_T) = p(c_1 \mid \text{start})\, p(c_2 \mid c_1) \cdots p(\text{end} \mid c_T)": "bigram",
    r"L = -\frac{1}{T+1} \sum_{t=1}^{T+1} \ln p(c_t \mid c_{t-1})": "nats",
    # The model.
    r"\hat{y}^{\langle t \rangle}_i = \frac{e^{z_i}}{\sum_j e^{z_j}}": "softmax",
    r"z^{\langle t \rangle} = W_{ya}\, a^{\langle t \rangle} + b_y": "forward",
    # One update.
    r"L = -\sum_{t=1}^{T+1} \ln \hat{y}^{\langle t \rangle}_{y^{\langle t \rangle}}": "forward",
    r"W \leftarrow W - \alpha\, \frac{\partial L}{\partial W}": "update",
    # Training.
    r"s_0 = 7 \ln 27, \qquad s \leftarrow 0.999\, s + 0.001\, L": "smoothed",
    # Clipping.
    r"\mathrm{clip}(g) = \max\left(-N, \min(N, g)\right)": "clip_values",
    r"g \leftarrow g \cdot \min\left(1, \frac{N}{\lVert g \rVert + 10^{-6}}\right)": "clip_norm",
    # Sampling.
    r"i = \min \left\{\, k : \sum_{j \le k} p_j > u \,\right\}": "draw",
    r"p_i = \frac{e^{z_i / \tau}}{\sum_j e^{z_j / \tau}}": "at_temperature",
    # Sonnets.
    r"L = -\ln \hat{y}^{\langle 40 \rangle}_{c_{41}}": "windows",
    r"\mathrm{hard}(x) = \max\left(0, \min(1, 0.2\, x + 0.5)\right)": "hard_sigmoid",
    # Embeddings and the cell.
    r"x^{\langle t \rangle} = E_{c_t}": "embed",
    r"\tanh\left( W \begin{pmatrix} x \\ a \end{pmatrix} + b \right) = \tanh\left( W_{ax}\, x + W_{aa}\, a + b \right)": "dense",
    # Padded batches and masks.
    r"L = - \frac{\sum_{r,t} m_{rt} \ln \hat{y}_{rt}}{\sum_{r,t} m_{rt}}": "masked_loss",
    # The loop over time.
    r"\ln \hat{y}_i = (z_i - m) - \ln \sum_j e^{z_j - m}, \qquad m = \max_j z_j": "log_softmax",
    r"m \leftarrow \beta_1 m + (1 - \beta_1)\, g, \quad v \leftarrow \beta_2 v + (1 - \beta_2)\, g^2": "adam",
    r"W \leftarrow W - \alpha\, \frac{m / (1 - \beta_1^k)}{\sqrt{v / (1 - \beta_2^k)} + \epsilon}": "adam",
    # Vanishing and exploding gradients.
    r"\frac{\partial L}{\partial a^{\langle T-k \rangle}} = \frac{\partial L}{\partial a^{\langle T \rangle}} "
    r"\prod_{t=T-k+1}^{T} \frac{\partial a^{\langle t \rangle}}{\partial a^{\langle t-1 \rangle}}": "back_through_time",
    r"\frac{\partial a^{\langle t \rangle}}{\partial a^{\langle t-1 \rangle}} = \mathrm{diag}\left(1 - (a^{\langle t \rangle})^2\right) W_{aa}":
    "back_through_time",
}
