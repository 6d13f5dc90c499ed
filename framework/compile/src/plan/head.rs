//! The last product: logits.

use crate::{
    id::{BufferId, ParamId, WeightId},
    plan::{
        assign_buffers::MAX_BLOCK_ACCUMULATORS,
        builder::PlanBuilder,
        schedule::{BufferKind, View},
    },
};

/// The product of the last layer's output with the head's weights, and what its gradients are made of.
pub(crate) struct Head {
    pub(crate) forward: WeightId,
    pub(crate) backward: WeightId,
    /// The offset of the bias in parameter memory.
    pub(crate) bias: usize,
    pub(crate) logits: BufferId,
    pub(crate) from: View,
    /// The gradient of `from`.
    pub(crate) gradient: View,
    pub(crate) width: usize,
    /// Weights and bias.
    pub(crate) params: [ParamId; 2],
    /// The offsets of both gradients among each shard's block accumulators, if it sums them block by block.
    pub(crate) accumulators: Option<[usize; 2]>,
}

impl Head {
    /// Plans the head on the last layer's output, which is `width` wide, and its gradient.
    pub(crate) fn new(
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
        Self {
            forward: plan.weight(weight.transposed()),
            backward: plan.weight(weight),
            bias: bias.offset,
            logits: plan.buffer(vocabulary, kind),
            from,
            gradient,
            width,
            params,
            accumulators,
        }
    }
}
