//! Would catch: a pass whose malformed result is compiled all the same.

use super::verified;
use crate::{
    id::NodeId,
    ir::{graph::Role, module::Module},
};

#[test]
fn a_malformed_graph_is_refused_with_the_pass_that_made_it() {
    let mut module = Module::default();
    assert!(verified("hoist", module.clone()).is_ok());
    module.step.outputs.push((Role::Output, NodeId::new(3)));
    let refusal = verified("hoist", module).expect_err("there is no such node").to_string();
    assert!(refusal.contains("the pass `hoist`") && refusal.contains("%3, which does not exist"), "{refusal}");
}
