//! Indices as types of their own: a buffer cannot be passed where a node is meant.

/// Declares index types, each with its documentation.
macro_rules! index_types {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) struct $name(u32);

        impl $name {
            /// The id of the entry at this index of the list that it refers to.
            pub(crate) fn new(index: usize) -> Self {
                Self(u32::try_from(index).expect("a model has fewer than 2³² of anything"))
            }

            pub(crate) fn index(self) -> usize {
                self.0 as usize
            }
        }
    )+};
}

index_types! {
    /// A node of a [`Graph`](crate::ir::graph::Graph).
    NodeId,
    /// A parameter of the model, in the order of declaration.
    ParamId,
    /// A buffer of batch values of the [`ExecutionPlan`](crate::plan::model::ExecutionPlan).
    BufferId,
    /// A packed weight of the [`ExecutionPlan`](crate::plan::model::ExecutionPlan).
    WeightId,
    /// A pointer of a [`Schedule`](crate::plan::schedule::Schedule)'s frame.
    SlotId,
}
