//! Logits: the last product, or the outputs of the last layer.

use crate::{
    id::{BufferId, ParamId, WeightId},
    plan::{
        assign_buffers::MAX_BLOCK_ACCUMULATORS,
        builder::PlanBuilder,
        schedule::{BufferKind, View},
    },
};

/// What makes logits of the last layer's output.
pub(crate) struct Head {
    /// The logits, and in training then their gradient.
    pub(crate) logits: BufferId,
    pub(crate) from: View,
    /// The gradient of `from`.
    pub(crate) gradient: View,
    /// Columns of `from`.
    pub(crate) width: usize,
    /// Without one the logits are a copy of `from`, in the buffer of its gradient.
    pub(crate) product: Option<HeadProduct>,
}

/// The product of the last layer's output with a matrix, and what its gradients are made of.
pub(crate) struct HeadProduct {
    pub(crate) forward: WeightId,
    pub(crate) backward: WeightId,
    /// The offset of the bias in parameter memory.
    pub(crate) bias: usize,
    /// Weights and bias.
    pub(crate) params: [ParamId; 2],
    /// The offsets of both gradients among each shard's block accumulators, if it sums them block by block.
    pub(crate) accumulators: Option<[usize; 2]>,
}

impl Head {
    /// Plans a product with the last layer's output, which is `width` wide, and its gradient.
    pub(crate) fn product(
        (from, gradient): (View, View),
        width: usize,
        params: [ParamId; 2],
        plan: &mut PlanBuilder,
    ) -> Self {
        let [weight, bias] = params.map(|param| plan.params[param.index()]);
        let vocabulary = weight.rows;
        let accumulates_by_block = weight.len() <= MAX_BLOCK_ACCUMULATORS;
        params.iter().for_each(|&param| {
            plan.gradients.contribute(param);
        });
        let kind = if accumulates_by_block { BufferKind::Block } else { BufferKind::Tape };
        let mut accumulate = |entries| plan.accumulators.allocate_block(entries);
        let accumulators = accumulates_by_block.then(|| [weight.len(), vocabulary].map(&mut accumulate));
        let product = HeadProduct {
            forward: plan.weight(weight.transposed()),
            backward: plan.weight(weight),
            bias: bias.offset,
            params,
            accumulators,
        };
        Self { logits: plan.buffer(vocabulary, kind), from, gradient, width, product: Some(product) }
    }

    /// The last layer's outputs, `width` wide, as logits.
    pub(crate) fn last_layer((from, gradient): (View, View), width: usize) -> Self {
        Self { logits: gradient.buffer, from, gradient, width, product: None }
    }
}
