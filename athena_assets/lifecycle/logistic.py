"""Ridge logistic regression by Newton's method: exact, without random numbers, with an offset and free intercepts.

Written out because the recipe needs what scikit-learn's estimator lacks: a penalty per column (intercepts of snapshots
are not shrunk), and the same bytes on every run.
"""

import numpy as np

from athena_assets.errors import AthenaError
from athena_assets.lifecycle.dataset import FloatArray

MAX_STEPS = 50
_CHUNK = 100_000


class NoConvergence(AthenaError):
    """Newton's method found no optimum: the data cannot be fitted as they are."""


def sigmoid(margin: FloatArray) -> FloatArray:
    """1 / (1 + e^-margin), without overflow."""
    result: FloatArray = 0.5 * (1.0 + np.tanh(0.5 * margin))
    return result


def fit_logistic(design: FloatArray, label: FloatArray, penalty: FloatArray) -> FloatArray:
    """Coefficients (columns,) that minimise log loss (summed over rows) + ½ Σ penalty × coefficient².

    design: (rows, columns), finite. penalty: (columns,), 0 leaves a column free. Raises `NoConvergence`.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    # One thread: a sum has one order, and on a busy machine BLAS threads wait for each other (measured: 3 ms
    # against 50 to 450 ms for one step).
    with threadpool_limits(1, user_api="blas"):
        return _newton(design, label, penalty)


def _newton(design: FloatArray, label: FloatArray, penalty: FloatArray) -> FloatArray:
    coefficients = np.zeros(design.shape[1])
    loss = _loss(design, label, penalty, coefficients)
    for _ in range(MAX_STEPS):
        gradient, hessian = _derivatives(design, label, penalty, coefficients)
        step = np.linalg.solve(hessian, gradient)
        length = 1.0
        while (candidate := _loss(design, label, penalty, coefficients - length * step)) > loss + 1e-9 * abs(loss):
            length /= 2
            if length < 1e-6:
                raise NoConvergence("a logistic regression went uphill", expected="a falling loss")
        coefficients = coefficients - length * step
        loss = candidate
        if float(np.abs(length * step).max()) < 1e-8:
            return coefficients
    raise NoConvergence(
        "a logistic regression did not converge",
        expected=f"an optimum within {MAX_STEPS} steps",
        found=f"a last step of {float(np.abs(step).max()):.2g}",
        next_command="raise l2 in the model's search space",
    )


def _loss(design: FloatArray, label: FloatArray, penalty: FloatArray, coefficients: FloatArray) -> float:
    margin = design @ coefficients
    return float(np.logaddexp(0.0, margin).sum() - label @ margin + 0.5 * penalty @ coefficients**2)


def _derivatives(
    design: FloatArray, label: FloatArray, penalty: FloatArray, coefficients: FloatArray
) -> tuple[FloatArray, FloatArray]:
    gradient, hessian = penalty * coefficients, np.diag(penalty).astype(np.float64)
    # In chunks, so that the weighted copy of the design stays small.
    for start in range(0, len(design), _CHUNK):
        rows = slice(start, start + _CHUNK)
        part = design[rows]
        probability = sigmoid(part @ coefficients)
        gradient = gradient + part.T @ (probability - label[rows])
        hessian = hessian + part.T @ (part * (probability * (1.0 - probability))[:, None])
    return gradient, hessian
