//! Operations on ints and bools: indices and masks.

use burn::backend::{
    Dispatch as D,
    ir::{BoolOperationIr, IntOperationIr, NumericOperationIr as Op},
    ops::{BoolTensorOps, IntTensorOps},
};

use super::Machine;

pub(super) fn numeric(operation: &Op, machine: &mut Machine) -> Option<()> {
    match operation {
        Op::Add(desc) => binary!(machine, desc, D::int_add),
        Op::AddScalar(desc) => scalar!(machine, desc, D::int_add_scalar),
        Op::Sub(desc) => binary!(machine, desc, D::int_sub),
        Op::SubScalar(desc) => scalar!(machine, desc, D::int_sub_scalar),
        Op::Mul(desc) => binary!(machine, desc, D::int_mul),
        Op::MulScalar(desc) => scalar!(machine, desc, D::int_mul_scalar),
        Op::Div(desc) => binary!(machine, desc, D::int_div),
        Op::DivScalar(desc) => scalar!(machine, desc, D::int_div_scalar),
        Op::Rem(desc) => binary!(machine, desc, D::int_remainder),
        Op::RemScalar(desc) => scalar!(machine, desc, D::int_remainder_scalar),
        Op::Powi(desc) => binary!(machine, desc, D::int_powi),
        Op::PowiScalar(desc) => scalar!(machine, desc, D::int_powi_scalar),
        Op::Greater(desc) => binary!(machine, desc, D::int_greater, machine.bool),
        Op::GreaterElem(desc) => scalar!(machine, desc, D::int_greater_elem, machine.bool),
        Op::GreaterEqual(desc) => binary!(machine, desc, D::int_greater_equal, machine.bool),
        Op::GreaterEqualElem(desc) => scalar!(machine, desc, D::int_greater_equal_elem, machine.bool),
        Op::Lower(desc) => binary!(machine, desc, D::int_lower, machine.bool),
        Op::LowerElem(desc) => scalar!(machine, desc, D::int_lower_elem, machine.bool),
        Op::LowerEqual(desc) => binary!(machine, desc, D::int_lower_equal, machine.bool),
        Op::LowerEqualElem(desc) => scalar!(machine, desc, D::int_lower_equal_elem, machine.bool),
        Op::Abs(desc) => unary!(machine, desc, D::int_abs),
        Op::Neg(desc) => unary!(machine, desc, D::int_neg),
        Op::Sign(desc) => unary!(machine, desc, D::int_sign),
        Op::Mean(desc) => unary!(machine, desc, D::int_mean),
        Op::Sum(desc) => unary!(machine, desc, D::int_sum),
        Op::Prod(desc) => unary!(machine, desc, D::int_prod),
        Op::Max(desc) => unary!(machine, desc, D::int_max),
        Op::Min(desc) => unary!(machine, desc, D::int_min),
        Op::MaxAbs(desc) => unary!(machine, desc, D::int_max_abs),
        Op::MeanDim(desc) => unary!(machine, desc, D::int_mean_dim, desc.axis),
        Op::SumDim(desc) => unary!(machine, desc, D::int_sum_dim, desc.axis),
        Op::ProdDim(desc) => unary!(machine, desc, D::int_prod_dim, desc.axis),
        Op::MaxDim(desc) => unary!(machine, desc, D::int_max_dim, desc.axis),
        Op::MinDim(desc) => unary!(machine, desc, D::int_min_dim, desc.axis),
        Op::MaxAbsDim(desc) => unary!(machine, desc, D::int_max_abs_dim, desc.axis),
        Op::CumSum(desc) => unary!(machine, desc, D::int_cumsum, desc.axis),
        Op::CumProd(desc) => unary!(machine, desc, D::int_cumprod, desc.axis),
        Op::CumMin(desc) => unary!(machine, desc, D::int_cummin, desc.axis),
        Op::CumMax(desc) => unary!(machine, desc, D::int_cummax, desc.axis),
        Op::ArgMax(desc) => unary!(machine, desc, D::int_argmax, desc.axis),
        Op::ArgMin(desc) => unary!(machine, desc, D::int_argmin, desc.axis),
        Op::Sort(desc) => unary!(machine, desc, D::int_sort, desc.dim, desc.descending),
        Op::ArgSort(desc) => unary!(machine, desc, D::int_argsort, desc.dim, desc.descending),
        Op::ClampMin(desc) => scalar!(machine, desc, D::int_clamp_min),
        Op::ClampMax(desc) => scalar!(machine, desc, D::int_clamp_max),
        Op::MaxDimWithIndices(desc) => {
            let input = machine.get(&desc.tensor);
            let (values, indices) = D::int_max_dim_with_indices(input, desc.dim);
            machine.put(&desc.out, values);
            machine.put(&desc.out_indices, indices);
        }
        Op::MinDimWithIndices(desc) => {
            let input = machine.get(&desc.tensor);
            let (values, indices) = D::int_min_dim_with_indices(input, desc.dim);
            machine.put(&desc.out, values);
            machine.put(&desc.out_indices, indices);
        }
        Op::Clamp(desc) => {
            let input = machine.get(&desc.tensor);
            machine.put(&desc.out, D::int_clamp(input, desc.min.into(), desc.max.into()));
        }
        Op::Full(desc) => {
            let made = D::int_full(desc.out.shape.clone(), desc.value.into(), &machine.device, machine.int);
            machine.put(&desc.out, made);
        }
        _ => return None,
    }
    Some(())
}

pub(super) fn int(operation: &IntOperationIr, machine: &mut Machine) -> Option<()> {
    match operation {
        IntOperationIr::IntoFloat(desc) => unary!(machine, desc, D::int_into_float, desc.out.dtype.into()),
        _ => return None,
    }
    Some(())
}

#[expect(clippy::unnecessary_wraps, reason = "as its siblings, which do not know every operation")]
pub(super) fn bool(operation: &BoolOperationIr, machine: &mut Machine) -> Option<()> {
    use BoolOperationIr as Op;
    match operation {
        Op::IntoFloat(desc) => unary!(machine, desc, D::bool_into_float, desc.out.dtype.into()),
        Op::IntoInt(desc) => unary!(machine, desc, D::bool_into_int, machine.int),
        Op::Not(desc) => unary!(machine, desc, D::bool_not),
        Op::And(desc) => binary!(machine, desc, D::bool_and),
        Op::Or(desc) => binary!(machine, desc, D::bool_or),
        Op::Xor(desc) => binary!(machine, desc, D::bool_xor),
    }
    Some(())
}
