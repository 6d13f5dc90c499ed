//! Tests of the verifier: each kind of fault is put into a sound graph and must be found. Would catch: a rule that the
//! verifier no longer checks.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use super::verify;
use crate::{
    id::{NodeId, ParamId},
    ir::{
        graph::{Constant, Graph, Node, Role, Rows, Shape},
        module::Module,
        op::{Axis, BatchedDims, Binary, Leaf, Op, Reduce, Ternary, Unary},
    },
};

/// `output = tanh(x wᵀ + b)`, with a constant and the gradient of `b`.
fn sound() -> Graph {
    let mut graph = Graph::default();
    let x = graph.leaf(Leaf::Input, Shape::batch(3));
    let w = graph.leaf(Leaf::Param(ParamId::new(0)), Shape::fixed(4, 3));
    let b = graph.leaf(Leaf::Param(ParamId::new(1)), Shape::fixed(1, 4));
    let transposed = graph.transpose(w);
    let product = graph.product(x, transposed);
    let sum = graph.zip(Binary::Add, product, b);
    let output = graph.map(Unary::Tanh, sum);
    let dy = graph.leaf(Leaf::OutputGradient, Shape::batch(4));
    let gradient = graph.sum_rows(dy);
    graph.constants.push(Constant { rows: 2, columns: 2, values: vec![0.0, 1.0, 2.0, 3.0] });
    graph.add(Op::Constant(0), Shape::fixed(2, 2));
    graph.outputs = vec![(Role::Output, output), (Role::Gradient(Leaf::Param(ParamId::new(1))), gradient)];
    graph
}

/// The first node with that operation.
fn find(graph: &Graph, is: impl Fn(&Op) -> bool) -> NodeId {
    graph.ids().find(|&id| is(&graph[id].op)).unwrap()
}

#[track_caller]
fn check(plant: impl FnOnce(&mut Graph), expected: &str) {
    let mut graph = sound();
    verify(&graph).unwrap();
    plant(&mut graph);
    let fault = verify(&graph).expect_err(expected);
    assert!(fault.contains(expected), "{fault}");
}

/// Appends a node, valid or not.
fn push(graph: &mut Graph, op: Op, shape: Shape) {
    graph.nodes.push(Node { op, shape });
}

#[test]
fn finds_operands_that_are_not_defined() {
    let missing = NodeId::new(99);
    check(|graph| push(graph, Op::Map(Unary::Exp, missing), Shape::batch(4)), "which does not exist");
    check(
        |graph| {
            let own = NodeId::new(graph.len());
            push(graph, Op::Map(Unary::Exp, own), Shape::batch(4));
        },
        "before it is defined",
    );
    check(|graph| push(graph, Op::Constant(7), Shape::fixed(1, 1)), "no such constant");
}

#[test]
fn finds_outputs_that_do_not_fit_their_role() {
    let gradient = Role::Gradient(Leaf::Param(ParamId::new(1)));
    check(|graph| graph.outputs.push((Role::NextState(0), NodeId::new(99))), "which does not exist");
    check(|graph| graph.outputs.push(graph.outputs[0]), "two outputs `output`");
    check(|graph| graph.outputs[1] = (gradient, NodeId::new(1)), "it is [4, 3] and must be [1, 4]");
    check(|graph| graph.outputs[0].1 = NodeId::new(1), "only what belongs to a parameter is static");
    check(
        |graph| {
            let state = graph.leaf(Leaf::State(0), Shape::batch(5));
            graph.outputs.push((Role::NextState(0), graph.outputs[0].1));
            assert!(graph.is_batch(state));
        },
        "it is [batch, 4] and must be [batch, 5]",
    );
}

#[test]
fn finds_shapes_that_do_not_follow_from_operands() {
    let tanh = |op: &Op| matches!(op, Op::Map(Unary::Tanh, _));
    let widen = |is: fn(&Op) -> bool| {
        move |graph: &mut Graph| {
            let id = find(graph, is);
            graph.nodes[id.index()].shape.columns += 1;
        }
    };
    check(widen(tanh), "its operands make [batch, 4]");
    check(widen(|op| matches!(op, Op::Zip(..))), "do not broadcast");
    check(widen(|op| matches!(op, Op::Transpose(_))), "its operands make [3, 4]");
    check(widen(|op| matches!(op, Op::Constant(_))), "its operands make [2, 2]");
    check(widen(|op| matches!(op, Op::SumRows(_))), "its operands make [1, 4]");
    check(widen(|op| matches!(op, Op::Leaf(Leaf::Input))), "the columns of a factor must be the rows of the next");
    check(
        |graph| graph.nodes[0].shape.rows = Rows::Static(3),
        "only parameters and noise of an update, and all of them, are static",
    );
}

#[test]
fn finds_operations_on_matrices_that_they_cannot_take() {
    let [x, w, b] = [0, 1, 2].map(NodeId::new);
    let axis = Axis { outer: 1, count: 2, inner: 2 };
    let of = BatchedDims { count: 1, rows: 1, depth: 3, columns: 2, transposed: [false; 2] };
    let cases: [(Op, Shape, &str); 17] = [
        (Op::Fuse(Ternary::MulAdd, x, x, b), Shape::batch(4), "do not broadcast"),
        (Op::Zip(Binary::Add, b, b), Shape::batch(4), "no operand has its rows"),
        (Op::Linear { terms: vec![], init: Some(b) }, Shape::batch(4), "it has no product"),
        (Op::Linear { terms: vec![(x, w)], init: None }, Shape::batch(3), "the columns of a factor"),
        (Op::Outer(x, w), Shape::fixed(3, 3), "both operands must be of the batch"),
        (Op::Transpose(x), Shape::fixed(3, 1), "its operand must be static"),
        (Op::Slice { of: w, row: 3, column: 0 }, Shape::fixed(2, 3), "it reaches beyond its operand"),
        (Op::Slice { of: x, row: 0, column: 2 }, Shape::batch(2), "it reaches beyond its operand"),
        (Op::ConcatColumns(vec![x, w]), Shape::batch(6), "must have the same rows"),
        (Op::ConcatRows(vec![w, x]), Shape::fixed(5, 3), "must be static and have the same columns"),
        (Op::Reduce(Reduce::Sum, w, Axis::all(3)), Shape::fixed(4, 3), "its operands make [4, 1]"),
        (Op::Reduce(Reduce::Sum, b, axis), Shape::fixed(1, 4), "its operands make [1, 2]"),
        (Op::Repeat(x, axis), Shape::batch(4), "the axis must be one of the columns"),
        (Op::CumulativeSum(b, axis, false), Shape::fixed(1, 4), "it must be the last axis"),
        (Op::Exchange(x, axis), Shape::batch(3), "the axis must be one of the columns"),
        (Op::Batched { of, a: x, b, init: None }, Shape::batch(2), "as many entries a row as its matrices"),
        (Op::Reshape(w), Shape::fixed(5, 2), "as many entries as its operand"),
    ];
    for (op, shape, expected) in cases {
        check(|graph| push(graph, op, shape), expected);
    }
}

#[test]
fn finds_what_reads_a_value_that_is_not_in_memory() {
    let repeat = |graph: &mut Graph| {
        let axis = Axis { outer: 3, count: 2, inner: 1 };
        graph.add(Op::Repeat(NodeId::new(0), axis), Shape::batch(6))
    };
    let sum = |graph: &mut Graph| {
        let repeated = repeat(graph);
        push(graph, Op::Reduce(Reduce::Sum, repeated, Axis::all(6)), Shape::batch(1));
    };
    check(sum, "which is not in memory");
    check(|graph| graph.outputs[0].1 = repeat(graph), "which is not in memory");
    check(
        |graph| {
            let repeated = [(6, 2, 1), (3, 4, 1), (1, 12, 1)].map(|(outer, count, inner)| {
                let operand = graph.leaf(Leaf::State(outer), Shape::batch(outer * inner));
                graph.add(Op::Repeat(operand, Axis { outer, count, inner }), Shape::batch(12))
            });
            let [a, b, c] = repeated;
            push(graph, Op::Fuse(Ternary::MulAdd, a, b, c), Shape::batch(12));
            let [a, b] = [(4, 3, 1), (3, 2, 2)].map(|(outer, count, inner)| {
                let operand = graph.leaf(Leaf::State(20 + outer), Shape::batch(outer * inner));
                graph.add(Op::Repeat(operand, Axis { outer, count, inner }), Shape::batch(12))
            });
            push(graph, Op::Zip(Binary::Add, a, b), Shape::batch(12));
        },
        "repeat more axes than an instruction has",
    );
}

#[test]
fn finds_hoisted_values_that_nothing_computes() {
    let mut module = Module { step: sound(), ..Module::default() };
    module.verify().unwrap();
    module.step.leaf(Leaf::Hoisted(0), Shape::batch(4));
    let fault = module.verify().unwrap_err();
    assert!(fault.contains("reads hoisted 0, which is not computed before the loop"), "{fault}");
}
