//! How most operations are run: their tensors are taken, a function of Burn's is called, the result is put in its place.

/// Of one tensor.
macro_rules! unary {
    ($machine:ident, $desc:ident, $function:path $(, $more:expr)*) => {{
        let input = $machine.get(&$desc.input);
        $machine.put(&$desc.out, $function(input $(, $more)*));
    }};
}

/// Of two tensors.
macro_rules! binary {
    ($machine:ident, $desc:ident, $function:path $(, $more:expr)*) => {{
        let (lhs, rhs) = ($machine.get(&$desc.lhs), $machine.get(&$desc.rhs));
        $machine.put(&$desc.out, $function(lhs, rhs $(, $more)*));
    }};
}

/// Of a tensor and a number.
macro_rules! scalar {
    ($machine:ident, $desc:ident, $function:path $(, $more:expr)*) => {{
        let lhs = $machine.get(&$desc.lhs);
        $machine.put(&$desc.out, $function(lhs, $desc.rhs.into() $(, $more)*));
    }};
}
