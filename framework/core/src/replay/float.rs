//! Operations on float tensors.

use burn::backend::{
    Dispatch as D,
    ir::{ActivationOperationIr, FloatOperationIr, ModuleOperationIr, NumericOperationIr as Op},
    ops::{ActivationOps, FloatTensorOps, ModuleOps},
};

use super::Machine;

pub(super) fn numeric(operation: &Op, machine: &mut Machine) -> Option<()> {
    match operation {
        Op::Add(desc) => binary!(machine, desc, D::float_add),
        Op::AddScalar(desc) => scalar!(machine, desc, D::float_add_scalar),
        Op::Sub(desc) => binary!(machine, desc, D::float_sub),
        Op::SubScalar(desc) => scalar!(machine, desc, D::float_sub_scalar),
        Op::Mul(desc) => binary!(machine, desc, D::float_mul),
        Op::MulScalar(desc) => scalar!(machine, desc, D::float_mul_scalar),
        Op::Div(desc) => binary!(machine, desc, D::float_div),
        Op::DivScalar(desc) => scalar!(machine, desc, D::float_div_scalar),
        Op::Rem(desc) => binary!(machine, desc, D::float_remainder),
        Op::RemScalar(desc) => scalar!(machine, desc, D::float_remainder_scalar),
        Op::Powi(desc) => binary!(machine, desc, D::float_powi),
        Op::PowiScalar(desc) => scalar!(machine, desc, D::float_powi_scalar),
        Op::Greater(desc) => binary!(machine, desc, D::float_greater, machine.bool),
        Op::GreaterElem(desc) => scalar!(machine, desc, D::float_greater_elem, machine.bool),
        Op::GreaterEqual(desc) => binary!(machine, desc, D::float_greater_equal, machine.bool),
        Op::GreaterEqualElem(desc) => scalar!(machine, desc, D::float_greater_equal_elem, machine.bool),
        Op::Lower(desc) => binary!(machine, desc, D::float_lower, machine.bool),
        Op::LowerElem(desc) => scalar!(machine, desc, D::float_lower_elem, machine.bool),
        Op::LowerEqual(desc) => binary!(machine, desc, D::float_lower_equal, machine.bool),
        Op::LowerEqualElem(desc) => scalar!(machine, desc, D::float_lower_equal_elem, machine.bool),
        Op::Abs(desc) => unary!(machine, desc, D::float_abs),
        Op::Neg(desc) => unary!(machine, desc, D::float_neg),
        Op::Sign(desc) => unary!(machine, desc, D::float_sign),
        Op::Mean(desc) => unary!(machine, desc, D::float_mean),
        Op::Sum(desc) => unary!(machine, desc, D::float_sum),
        Op::Prod(desc) => unary!(machine, desc, D::float_prod),
        Op::Max(desc) => unary!(machine, desc, D::float_max),
        Op::Min(desc) => unary!(machine, desc, D::float_min),
        Op::MaxAbs(desc) => unary!(machine, desc, D::float_max_abs),
        Op::MeanDim(desc) => unary!(machine, desc, D::float_mean_dim, desc.axis),
        Op::SumDim(desc) => unary!(machine, desc, D::float_sum_dim, desc.axis),
        Op::ProdDim(desc) => unary!(machine, desc, D::float_prod_dim, desc.axis),
        Op::MaxDim(desc) => unary!(machine, desc, D::float_max_dim, desc.axis),
        Op::MinDim(desc) => unary!(machine, desc, D::float_min_dim, desc.axis),
        Op::MaxAbsDim(desc) => unary!(machine, desc, D::float_max_abs_dim, desc.axis),
        Op::CumSum(desc) => unary!(machine, desc, D::float_cumsum, desc.axis),
        Op::CumProd(desc) => unary!(machine, desc, D::float_cumprod, desc.axis),
        Op::CumMin(desc) => unary!(machine, desc, D::float_cummin, desc.axis),
        Op::CumMax(desc) => unary!(machine, desc, D::float_cummax, desc.axis),
        Op::SumDims(desc) => unary!(machine, desc, D::float_sum_dims, &desc.axes),
        Op::ArgMax(desc) => unary!(machine, desc, D::float_argmax, desc.axis, machine.int),
        Op::ArgMin(desc) => unary!(machine, desc, D::float_argmin, desc.axis, machine.int),
        Op::Sort(desc) => unary!(machine, desc, D::float_sort, desc.dim, desc.descending),
        Op::ArgSort(desc) => unary!(machine, desc, D::float_argsort, desc.dim, desc.descending, machine.int),
        Op::ClampMin(desc) => scalar!(machine, desc, D::float_clamp_min),
        Op::ClampMax(desc) => scalar!(machine, desc, D::float_clamp_max),
        Op::MaxDimWithIndices(desc) => {
            let input = machine.get(&desc.tensor);
            let (values, indices) = D::float_max_dim_with_indices(input, desc.dim, machine.int);
            machine.put(&desc.out, values);
            machine.put(&desc.out_indices, indices);
        }
        Op::MinDimWithIndices(desc) => {
            let input = machine.get(&desc.tensor);
            let (values, indices) = D::float_min_dim_with_indices(input, desc.dim, machine.int);
            machine.put(&desc.out, values);
            machine.put(&desc.out_indices, indices);
        }
        Op::Clamp(desc) => {
            let input = machine.get(&desc.tensor);
            machine.put(&desc.out, D::float_clamp(input, desc.min.into(), desc.max.into()));
        }
        Op::Full(desc) => {
            let made = D::float_full(desc.out.shape.clone(), desc.value.into(), &machine.device, desc.out.dtype.into());
            machine.put(&desc.out, made);
        }
        _ => return None,
    }
    Some(())
}

pub(super) fn float(operation: &FloatOperationIr, machine: &mut Machine) -> Option<()> {
    use FloatOperationIr as Op;
    match operation {
        Op::Exp(desc) => unary!(machine, desc, D::float_exp),
        Op::Log(desc) => unary!(machine, desc, D::float_log),
        Op::Log1p(desc) => unary!(machine, desc, D::float_log1p),
        Op::Erf(desc) => unary!(machine, desc, D::float_erf),
        Op::Sqrt(desc) => unary!(machine, desc, D::float_sqrt),
        Op::Recip(desc) => unary!(machine, desc, D::float_recip),
        Op::Sin(desc) => unary!(machine, desc, D::float_sin),
        Op::Cos(desc) => unary!(machine, desc, D::float_cos),
        Op::Tan(desc) => unary!(machine, desc, D::float_tan),
        Op::Sinh(desc) => unary!(machine, desc, D::float_sinh),
        Op::Cosh(desc) => unary!(machine, desc, D::float_cosh),
        Op::Tanh(desc) => unary!(machine, desc, D::float_tanh),
        Op::ArcSin(desc) => unary!(machine, desc, D::float_asin),
        Op::ArcCos(desc) => unary!(machine, desc, D::float_acos),
        Op::ArcTan(desc) => unary!(machine, desc, D::float_atan),
        Op::ArcSinh(desc) => unary!(machine, desc, D::float_asinh),
        Op::ArcCosh(desc) => unary!(machine, desc, D::float_acosh),
        Op::ArcTanh(desc) => unary!(machine, desc, D::float_atanh),
        Op::Round(desc) => unary!(machine, desc, D::float_round),
        Op::Floor(desc) => unary!(machine, desc, D::float_floor),
        Op::Ceil(desc) => unary!(machine, desc, D::float_ceil),
        Op::Trunc(desc) => unary!(machine, desc, D::float_trunc),
        Op::Matmul(desc) => binary!(machine, desc, D::float_matmul),
        Op::Powf(desc) => binary!(machine, desc, D::float_powf),
        Op::Hypot(desc) => binary!(machine, desc, D::float_hypot),
        Op::ArcTan2(desc) => binary!(machine, desc, D::float_atan2),
        Op::PowfScalar(desc) => scalar!(machine, desc, D::float_powf_scalar),
        Op::IsNan(desc) => unary!(machine, desc, D::float_is_nan, machine.bool),
        Op::IsInf(desc) => unary!(machine, desc, D::float_is_inf, machine.bool),
        Op::IntoInt(desc) => unary!(machine, desc, D::float_into_int, machine.int),
        _ => return None,
    }
    Some(())
}

pub(super) fn activation(operation: &ActivationOperationIr, machine: &mut Machine) -> Option<()> {
    use ActivationOperationIr as Op;
    match operation {
        Op::Relu(desc) => unary!(machine, desc, D::relu),
        Op::LeakyRelu(desc) => scalar!(machine, desc, D::leaky_relu),
        Op::PRelu(desc) => binary!(machine, desc, D::prelu),
        Op::Gelu(desc) => unary!(machine, desc, D::gelu),
        Op::Sigmoid(desc) => unary!(machine, desc, D::sigmoid),
        Op::LogSigmoid(desc) => unary!(machine, desc, D::log_sigmoid),
        Op::Softmax(desc) => unary!(machine, desc, D::softmax, desc.axis),
        Op::LogSoftmax(desc) => unary!(machine, desc, D::log_softmax, desc.axis),
        Op::Softmin(desc) => unary!(machine, desc, D::softmin, desc.axis),
        Op::HardSigmoid(desc) => {
            let input = machine.get(&desc.tensor);
            machine.put(&desc.out, D::hard_sigmoid(input, desc.alpha.into(), desc.beta.into()));
        }
        // Only autodiff calls these, and graphs are recorded without it.
        Op::ReluBackward(_) | Op::GeluBackward(_) | Op::SigmoidBackward(_) | Op::LogSigmoidBackward(_) => return None,
    }
    Some(())
}

pub(super) fn module(operation: &ModuleOperationIr, machine: &mut Machine) -> Option<()> {
    match operation {
        ModuleOperationIr::Linear(desc) => {
            let (x, weight) = (machine.get(&desc.x), machine.get(&desc.weight));
            let bias = desc.bias.as_ref().map(|bias| machine.get(bias));
            machine.put(&desc.out, D::linear(x, weight, bias));
        }
        ModuleOperationIr::LayerNorm(desc) => {
            let (input, gamma) = (machine.get(&desc.input), machine.get(&desc.gamma));
            let beta = desc.beta.as_ref().map(|beta| machine.get(beta));
            machine.put(&desc.out, D::layer_norm(input, gamma, beta, desc.epsilon.elem()));
        }
        ModuleOperationIr::Embedding(desc) => {
            let (weights, indices) = (machine.get(&desc.weights), machine.get(&desc.indices));
            machine.put(&desc.out, D::embedding(weights, indices));
        }
        _ => return None,
    }
    Some(())
}
