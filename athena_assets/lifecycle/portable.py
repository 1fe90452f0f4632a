"""A fitted model as one ONNX graph: from features to the published probability, level and slope included.

Input `features` float32 (rows, features), nulls as NaN, in the order of the manifest; output `probability` float32
(rows,). The graph is written out node by node rather than converted, because converters of boosted trees have a
history of silent errors and because the linear part and the level have no converter. Every artifact is compared
with the native model when it is written.
"""

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from athena_assets.errors import AthenaError
from athena_assets.lifecycle.dataset import FloatArray, Matrix
from athena_assets.lifecycle.fitted import FittedModel

if TYPE_CHECKING:
    import onnxruntime

OPSET = 17
ML_OPSET = 3
IR_VERSION = 8
INPUT, OUTPUT = "features", "probability"


class UnsupportedTrees(AthenaError):
    """The booster holds something that the portable graph cannot say."""


def portable_bytes(model: FittedModel) -> bytes:
    """The model as serialised ONNX, the same bytes for the same model."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    graph = _Graph()
    linear = _linear(graph, model)
    trees = graph.node("TreeEnsembleRegressor", [INPUT], domain="ai.onnx.ml", **_tree_attributes(model))
    scaled = graph.node("Mul", [trees, graph.constant("tree_scale", np.float32(model.ranking.tree_scale))])
    day = graph.node("Gather", [INPUT, graph.constant("day_column", np.array([model.day_column], np.int64))], axis=1)
    position = graph.node(
        "Sub", [graph.node("Cast", [day], to=TensorProto.INT64), graph.constant("one", np.array(1, np.int64))]
    )
    level = graph.node("Gather", [graph.constant("level", model.level.astype(np.float32)), position], axis=0)
    margin = graph.node("Add", [graph.node("Add", [linear, scaled]), level])
    probability = graph.node("Sigmoid", [margin])
    graph.node("Squeeze", [probability, graph.constant("axis_1", np.array([1], np.int64))], output=OUTPUT)

    proto = helper.make_graph(
        [helper.make_node(**fields) for fields in graph.nodes],
        "athena",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["rows", len(model.features)])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["rows"])],
        [numpy_helper.from_array(value, name) for name, value in graph.constants.items()],
    )
    whole = helper.make_model(
        proto,
        producer_name="athena",
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)],
    )
    onnx.checker.check_model(whole)
    return bytes(whole.SerializeToString(deterministic=True))


def session(portable: bytes, *, threads: int = 1) -> "onnxruntime.InferenceSession":
    """An onnxruntime session on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(portable, options, providers=["CPUExecutionProvider"])


def portable_probability(running: "onnxruntime.InferenceSession", matrix: Matrix) -> FloatArray:
    """Probability (rows,) from the portable model."""
    result: FloatArray = running.run([OUTPUT], {INPUT: np.ascontiguousarray(matrix, dtype=np.float32)})[0].astype(
        np.float64
    )
    return result


class _Graph:
    """Nodes and constants in the order in which they were added."""

    def __init__(self) -> None:
        self.nodes: list[dict[str, Any]] = []
        self.constants: dict[str, np.ndarray[Any, Any]] = {}

    def constant(self, name: str, value: Any) -> str:
        self.constants[name] = np.asarray(value)
        return name

    def node(self, kind: str, inputs: list[str], *, output: str | None = None, **attributes: Any) -> str:
        name = output or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append({"op_type": kind, "inputs": inputs, "outputs": [name], "name": name, **attributes})
        return name


def _linear(graph: _Graph, model: FittedModel) -> str:
    """Nodes of `LinearPart.score`; shape (rows, 1)."""
    from onnx import TensorProto

    part, transform = model.ranking.linear, model.ranking.linear.transform
    used = graph.node("Gather", [INPUT, graph.constant("linear_columns", transform.columns)], axis=1)
    missing = graph.node("IsNaN", [used])
    zero = graph.constant("zero", np.float32(0.0))
    present = graph.node("Where", [missing, zero, used])
    logs = graph.node(
        "Log", [graph.node("Add", [graph.node("Abs", [present]), graph.constant("one_f", np.float32(1.0))])]
    )
    signed = graph.node("Mul", [graph.node("Sign", [present]), logs])
    raised = graph.node("Max", [signed, graph.constant("lower", transform.lower.astype(np.float32))])
    clipped = graph.node("Min", [raised, graph.constant("upper", transform.upper.astype(np.float32))])
    centred = graph.node("Sub", [clipped, graph.constant("mean", transform.mean.astype(np.float32))])
    standardised = graph.node("Div", [centred, graph.constant("scale", transform.scale.astype(np.float32))])
    values = graph.node("Where", [missing, zero, standardised])
    from_values = graph.node("MatMul", [values, graph.constant("weight", part.weight.astype(np.float32)[:, None])])
    indicator = graph.node("Cast", [missing], to=TensorProto.FLOAT)
    weights = graph.constant("missing_weight", part.missing_weight.astype(np.float32)[:, None])
    return graph.node("Add", [from_values, graph.node("MatMul", [indicator, weights])])


def _tree_attributes(model: FittedModel) -> dict[str, Any]:
    """Attributes of `TreeEnsembleRegressor` from XGBoost's own description of its trees."""
    description = json.loads(bytes(model.ranking.booster.save_raw("json")))
    booster = description["learner"]["gradient_booster"]
    if booster["name"] != "gbtree":
        raise UnsupportedTrees("the booster cannot be carried over", expected="gbtree", found=booster["name"])
    nodes: dict[str, list[Any]] = {
        name: []
        for name in ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids",
                     "missing_value_tracks_true")
    }  # fmt: skip
    leaves: dict[str, list[Any]] = {"treeids": [], "nodeids": [], "weights": []}
    for number, tree in enumerate(booster["model"]["trees"]):
        if tree.get("categories"):
            raise UnsupportedTrees("a tree splits on categories", expected="numerical splits only")
        for node, (left, right) in enumerate(zip(tree["left_children"], tree["right_children"], strict=True)):
            leaf = left == -1
            nodes["treeids"].append(number)
            nodes["nodeids"].append(node)
            nodes["featureids"].append(0 if leaf else int(model.ranking.tree_columns[tree["split_indices"][node]]))
            nodes["values"].append(0.0 if leaf else float(tree["split_conditions"][node]))
            nodes["modes"].append("LEAF" if leaf else "BRANCH_LT")
            nodes["truenodeids"].append(0 if leaf else left)
            nodes["falsenodeids"].append(0 if leaf else right)
            nodes["missing_value_tracks_true"].append(0 if leaf else int(tree["default_left"][node]))
            if leaf:
                leaves["treeids"].append(number)
                leaves["nodeids"].append(node)
                leaves["weights"].append(float(tree["split_conditions"][node]))
    return {
        **{f"nodes_{name}": values for name, values in nodes.items()},
        "target_treeids": leaves["treeids"],
        "target_nodeids": leaves["nodeids"],
        "target_ids": [0] * len(leaves["treeids"]),
        "target_weights": leaves["weights"],
        "n_targets": 1,
        "post_transform": "NONE",
        "aggregate_function": "SUM",
    }
