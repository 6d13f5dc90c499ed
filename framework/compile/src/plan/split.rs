//! Cutting a time step into pieces of its units, where no unit sees another: so several threads run the time loop of a few
//! sequences.

use std::collections::HashSet;

use crate::{
    ir::blocks::Blocks,
    plan::{
        fused_kernel::{FusedKernel, Instruction, Opcode, Operand},
        layer::Gather,
        schedule::{Schedule, Slot, Task},
    },
};

/// The fewest columns of a piece: fewer cost more in calls than in arithmetic.
const LEAST: usize = 64;

/// A time step forward and backward, in pieces that may run at the same time; none if a unit sees another.
pub(crate) fn split(forward: &Schedule, backward: &Schedule, gathers: &[Gather], width: usize) -> Vec<[Schedule; 2]> {
    let wanted = 1 << (width / LEAST).clamp(1, 8).ilog2();
    let try_count = |count: usize| {
        let (forward, backward) = (pieces(forward, gathers, count)?, pieces(backward, &[], count)?);
        let is_divisible = gathers.iter().all(|gather| gather.width.is_multiple_of(count));
        is_divisible.then(|| forward.into_iter().zip(backward).map(|(forward, backward)| [forward, backward]).collect())
    };
    let mut count = wanted;
    while count > 0 {
        if let Some(pieces) = try_count(count) {
            return pieces;
        }
        count /= 2;
    }
    vec![]
}

fn pieces(schedule: &Schedule, gathers: &[Gather], count: usize) -> Option<Vec<Schedule>> {
    let parts = parts_written(schedule, gathers)?;
    (0..count).map(|piece| part(schedule, &parts, (piece, count))).collect()
}

/// Where a value lies: its slot's number in the schedule or the buffer, its first column and its width.
type Part = (usize, usize, usize);

/// The columns that an operand reaches in a row.
fn reach(operand: &Operand, blocks: Blocks) -> usize {
    let [outer, row] = operand.block_strides;
    let strides = if blocks.outer * blocks.rows == 1 {
        [0, 0, operand.column_stride]
    } else {
        [outer, row, operand.column_stride]
    };
    let lengths = [blocks.outer, blocks.rows, blocks.columns];
    1 + lengths.iter().zip(strides).map(|(length, stride)| (length - 1) * stride).sum::<usize>()
}

fn buffer(schedule: &Schedule, operand: &Operand) -> Option<usize> {
    match schedule.slots[operand.slot?.index()] {
        Slot::Batch { buffer, .. } => Some(buffer.index()),
        Slot::Parameter(_) | Slot::Accumulator(_) => None,
    }
}

/// What a schedule, or a gather before it, writes. A piece reads of it what it has written itself. Nothing if there are
/// products.
fn parts_written(schedule: &Schedule, gathers: &[Gather]) -> Option<HashSet<Part>> {
    let mut parts: HashSet<Part> = gathers
        .iter()
        .filter_map(|gather| Some((gather.to?.buffer.index(), gather.to?.offset, gather.width)))
        .collect();
    for task in &schedule.tasks {
        let Task::Fused(kernel) = task else { return None };
        for instruction in &kernel.instructions {
            let width = result_width(instruction);
            parts.extend(buffer(schedule, &instruction.to).map(|buffer| (buffer, instruction.to.offset, width)));
        }
    }
    Some(parts)
}

/// The columns of a result.
fn result_width(instruction: &Instruction) -> usize {
    match instruction.opcode {
        Opcode::SumColumns | Opcode::MaxColumns => instruction.blocks.rows,
        Opcode::SumRows => instruction.blocks.outer * instruction.blocks.columns,
        _ => instruction.width(),
    }
}

fn part(schedule: &Schedule, written: &HashSet<Part>, piece: (usize, usize)) -> Option<Schedule> {
    let mut tasks = Vec::new();
    for task in &schedule.tasks {
        let Task::Fused(kernel) = task else { return None };
        let mut instructions = Vec::new();
        for instruction in &kernel.instructions {
            instructions.push(part_of(schedule, instruction, written, piece)?);
        }
        tasks.push(Task::Fused(FusedKernel::new(instructions, kernel.registers)));
    }
    Some(Schedule { tasks, ..schedule.clone() })
}

/// The part of an instruction that belongs to a piece.
fn part_of(
    schedule: &Schedule,
    instruction: &Instruction,
    written: &HashSet<Part>,
    (piece, count): (usize, usize),
) -> Option<Instruction> {
    let Blocks { outer, rows, columns } = instruction.blocks;
    let is_along_rows =
        matches!(instruction.opcode, Opcode::SumColumns | Opcode::MaxColumns | Opcode::CumulativeSum(_));
    let is_along_blocks = matches!(instruction.opcode, Opcode::SumRows | Opcode::Exchange);
    // Along the outermost axis, if nothing is summed along it.
    let (axis, length) = match instruction.opcode {
        Opcode::Batched(of, _) => (0, of.count),
        _ if outer > 1 => (0, outer),
        _ if rows > 1 && !is_along_blocks => (1, rows),
        _ if rows == 1 && !is_along_rows && !is_along_blocks => (2, columns),
        _ => return None,
    };
    if !length.is_multiple_of(count) {
        return None;
    }
    let here = length / count;
    let mut blocks = instruction.blocks;
    *[&mut blocks.outer, &mut blocks.rows, &mut blocks.columns][axis] = here;
    let mut opcode = instruction.opcode;
    let mut widths = [0; 3];
    if let Opcode::Batched(of, _) = &mut opcode {
        of.count = here;
        blocks = Blocks::flat(columns / count);
        widths = [of.rows * of.depth, of.depth * of.columns, of.rows * of.columns];
    }
    let moved = |operand: &Operand, width: usize, reach: usize| {
        let buffer = buffer(schedule, operand);
        let is_written = buffer.is_some_and(|buffer| written.iter().any(|&(known, ..)| known == buffer));
        if is_written && !written.contains(&(buffer?, operand.offset, reach)) {
            return None;
        }
        let stride = match width {
            0 => [operand.block_strides[0], operand.block_strides[1], operand.column_stride][axis],
            width => width,
        };
        // What all units read must be there before the loop: a parameter.
        let is_shared = stride == 0 && (operand.slot.is_none() || buffer.is_some());
        // A register holds the piece alone.
        let shift = if operand.slot.is_some() { piece * here * stride } else { 0 };
        (!is_shared).then_some(Operand { offset: operand.offset + shift, ..*operand })
    };
    let of_operand = |(index, operand): (usize, &Operand)| {
        let width = widths[index];
        let reach = if width > 0 { width * length } else { reach(operand, instruction.blocks) };
        moved(operand, width, reach)
    };
    let from: Vec<Operand> = instruction.operands().iter().enumerate().map(of_operand).collect::<Option<_>>()?;
    let to = moved(&instruction.to, widths[2], result_width(instruction))?;
    Some(Instruction::new(opcode, blocks, to, &from))
}
