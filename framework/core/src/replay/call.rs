//! The common form of operations: read the arguments, call a function of Burn's, store the result.

/// An operation on one tensor.
macro_rules! unary {
    ($machine:ident, $desc:ident, $function:path $(, $more:expr)*) => {{
        let input = $machine.get(&$desc.input);
        $machine.put(&$desc.out, $function(input $(, $more)*));
    }};
}

/// An operation on two tensors.
macro_rules! binary {
    ($machine:ident, $desc:ident, $function:path $(, $more:expr)*) => {{
        let (lhs, rhs) = ($machine.get(&$desc.lhs), $machine.get(&$desc.rhs));
        $machine.put(&$desc.out, $function(lhs, rhs $(, $more)*));
    }};
}

/// An operation on a tensor and a scalar.
macro_rules! scalar {
    ($machine:ident, $desc:ident, $function:path $(, $more:expr)*) => {{
        let lhs = $machine.get(&$desc.lhs);
        $machine.put(&$desc.out, $function(lhs, $desc.rhs.into() $(, $more)*));
    }};
}
