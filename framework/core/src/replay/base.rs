//! Operations that move values without computing: the same for float, int and bool.

use burn::backend::{
    Dispatch as D,
    ir::BaseOperationIr as Op,
    ops::{BoolTensorOps, FloatTensorOps, IntTensorOps},
};

use super::Machine;

macro_rules! base {
    ($operation:ident, $machine:ident, $reshape:path, $swap:path, $permute:path, $flip:path, $expand:path, $slice:path,
     $assign:path, $select:path, $gather:path, $where:path, $fill:path, $repeat:path, $cat:path) => {
        match $operation {
            Op::Reshape(desc) => unary!($machine, desc, $reshape, desc.out.shape.clone()),
            Op::SwapDims(desc) => unary!($machine, desc, $swap, desc.dim1, desc.dim2),
            Op::Permute(desc) => unary!($machine, desc, $permute, &desc.axes),
            Op::Flip(desc) => unary!($machine, desc, $flip, &desc.axes),
            Op::Expand(desc) => unary!($machine, desc, $expand, desc.out.shape.clone()),
            Op::Slice(desc) => {
                let input = $machine.get(&desc.tensor);
                $machine.put(&desc.out, $slice(input, &desc.ranges));
            }
            Op::SliceAssign(desc) => {
                let (input, value) = ($machine.get(&desc.tensor), $machine.get(&desc.value));
                $machine.put(&desc.out, $assign(input, &desc.ranges, value));
            }
            Op::Select(desc) => {
                let (input, indices) = ($machine.get(&desc.tensor), $machine.get(&desc.indices));
                $machine.put(&desc.out, $select(input, desc.dim, indices));
            }
            Op::Gather(desc) => {
                let (input, indices) = ($machine.get(&desc.tensor), $machine.get(&desc.indices));
                $machine.put(&desc.out, $gather(desc.dim, input, indices));
            }
            Op::MaskWhere(desc) => {
                let (input, mask) = ($machine.get(&desc.tensor), $machine.get(&desc.mask));
                let value = $machine.get(&desc.value);
                $machine.put(&desc.out, $where(input, mask, value));
            }
            Op::MaskFill(desc) => {
                let (input, mask) = ($machine.get(&desc.tensor), $machine.get(&desc.mask));
                $machine.put(&desc.out, $fill(input, mask, desc.value.into()));
            }
            Op::RepeatDim(desc) => {
                let input = $machine.get(&desc.tensor);
                $machine.put(&desc.out, $repeat(input, desc.dim, desc.times));
            }
            Op::Cat(desc) => {
                let inputs = desc.tensors.iter().map(|tensor| $machine.get(tensor)).collect();
                $machine.put(&desc.out, $cat(inputs, desc.dim));
            }
            _ => return None,
        }
    };
}

pub(super) fn float(operation: &Op, machine: &mut Machine) -> Option<()> {
    match operation {
        Op::Equal(desc) => binary!(machine, desc, D::float_equal, machine.bool),
        Op::NotEqual(desc) => binary!(machine, desc, D::float_not_equal, machine.bool),
        Op::EqualElem(desc) => scalar!(machine, desc, D::float_equal_elem, machine.bool),
        Op::NotEqualElem(desc) => scalar!(machine, desc, D::float_not_equal_elem, machine.bool),
        Op::Cast(desc) => unary!(machine, desc, D::float_cast, desc.out.dtype.into()),
        // The values of an empty tensor are undefined, so zeros are valid.
        Op::Empty(desc) | Op::Zeros(desc) => {
            let made = D::float_zeros(desc.out.shape.clone(), &machine.device, desc.out.dtype.into());
            machine.put(&desc.out, made);
        }
        Op::Ones(desc) => {
            let made = D::float_ones(desc.out.shape.clone(), &machine.device, desc.out.dtype.into());
            machine.put(&desc.out, made);
        }
        _ => base!(
            operation,
            machine,
            D::float_reshape,
            D::float_swap_dims,
            D::float_permute,
            D::float_flip,
            D::float_expand,
            D::float_slice,
            D::float_slice_assign,
            D::float_select,
            D::float_gather,
            D::float_mask_where,
            D::float_mask_fill,
            D::float_repeat_dim,
            D::float_cat
        ),
    }
    Some(())
}

pub(super) fn int(operation: &Op, machine: &mut Machine) -> Option<()> {
    match operation {
        Op::Equal(desc) => binary!(machine, desc, D::int_equal, machine.bool),
        Op::NotEqual(desc) => binary!(machine, desc, D::int_not_equal, machine.bool),
        Op::EqualElem(desc) => scalar!(machine, desc, D::int_equal_elem, machine.bool),
        Op::NotEqualElem(desc) => scalar!(machine, desc, D::int_not_equal_elem, machine.bool),
        Op::Empty(desc) | Op::Zeros(desc) => {
            machine.put(&desc.out, D::int_zeros(desc.out.shape.clone(), &machine.device, machine.int));
        }
        Op::Ones(desc) => {
            machine.put(&desc.out, D::int_ones(desc.out.shape.clone(), &machine.device, machine.int));
        }
        _ => base!(
            operation,
            machine,
            D::int_reshape,
            D::int_swap_dims,
            D::int_permute,
            D::int_flip,
            D::int_expand,
            D::int_slice,
            D::int_slice_assign,
            D::int_select,
            D::int_gather,
            D::int_mask_where,
            D::int_mask_fill,
            D::int_repeat_dim,
            D::int_cat
        ),
    }
    Some(())
}

pub(super) fn bool(operation: &Op, machine: &mut Machine) -> Option<()> {
    match operation {
        Op::Equal(desc) => binary!(machine, desc, D::bool_equal),
        Op::NotEqual(desc) => binary!(machine, desc, D::bool_not_equal),
        Op::Empty(desc) | Op::Zeros(desc) => {
            machine.put(&desc.out, D::bool_zeros(desc.out.shape.clone(), &machine.device, machine.bool));
        }
        Op::Ones(desc) => {
            machine.put(&desc.out, D::bool_ones(desc.out.shape.clone(), &machine.device, machine.bool));
        }
        _ => base!(
            operation,
            machine,
            D::bool_reshape,
            D::bool_swap_dims,
            D::bool_permute,
            D::bool_flip,
            D::bool_expand,
            D::bool_slice,
            D::bool_slice_assign,
            D::bool_select,
            D::bool_gather,
            D::bool_mask_where,
            D::bool_mask_fill,
            D::bool_repeat_dim,
            D::bool_cat
        ),
    }
    Some(())
}
