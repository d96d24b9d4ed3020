//! A function's instructions, with constants for what is constant.

use wasmparser::{FunctionBody, MemArg, Operator, Result};

use super::globals::Constants;

/// The largest number that moves from an address into the instruction that uses it.
///
/// An address is a sum that wraps at 4 GiB, the sum of an address and an instruction's offset does not, so the two differ for
/// addresses in the last kibibyte before 4 GiB: there the one means the first kibibyte of memory, and the other traps. No object
/// is in either. (Memory begins with the stack's last kibibyte.)
const LARGEST_OFFSET: i32 = 1024;

/// The function's instructions: reads of constant globals are constants, and a small number that is added to an address last is
/// the offset of the load or store. (In componentize-py's Python most fields of objects are reached by such a sum.)
pub(super) fn settled<'a>(function: &FunctionBody<'a>, constants: &Constants) -> Result<Vec<Operator<'a>>> {
    let mut operators = Vec::new();
    for operator in function.get_operators_reader()? {
        let operator = operator?;
        let constant = match &operator {
            Operator::GlobalGet { global_index } => constants.get(global_index),
            _ => None,
        };
        operators.push(constant.map_or(operator, |&value| Operator::I32Const { value }));
    }
    fold_offsets(&mut operators);
    Ok(operators)
}

fn fold_offsets(operators: &mut Vec<Operator<'_>>) {
    // Which instruction made each value that is certainly on top of the stack.
    let mut stack = Vec::new();
    let mut needless = vec![false; operators.len()];
    for position in 0..operators.len() {
        let Some(effect) = operators.get(position).and_then(Effect::of) else {
            stack.clear();
            continue;
        };
        let address = stack.len().checked_sub(effect.taken).and_then(|first| stack.get(first).copied());
        stack.truncate(stack.len().saturating_sub(effect.taken));
        if effect.gives {
            stack.push(position);
        }
        let Some(sum) = address.filter(|_| effect.accesses_memory) else { continue };
        let Some(offset) = added_last(operators, sum) else { continue };
        if let Some(access) = operators.get_mut(position).and_then(memory_argument) {
            access.offset += offset;
            needless.iter_mut().take(sum + 1).skip(sum - 1).for_each(|needless| *needless = true);
        }
    }
    let mut needless = needless.into_iter();
    operators.retain(|_| needless.next() != Some(true));
}

/// The small number that the sum made at `position` adds last.
fn added_last(operators: &[Operator<'_>], position: usize) -> Option<u64> {
    let (number, sum) = (operators.get(position.checked_sub(1)?)?, operators.get(position)?);
    match (number, sum) {
        (Operator::I32Const { value }, Operator::I32Add) if (0..=LARGEST_OFFSET).contains(value) => {
            u64::try_from(*value).ok()
        }
        _ => None,
    }
}

/// What an instruction does to the stack, as far as it matters here.
struct Effect {
    taken: usize,
    gives: bool,
    /// Of what it takes, the first is an address.
    accesses_memory: bool,
}

impl Effect {
    /// `None`: what is on top of the stack after it is not certain, or not worth telling.
    fn of(operator: &Operator<'_>) -> Option<Self> {
        use Operator as Op;
        let (taken, gives, accesses_memory) = match operator {
            Op::Nop => (0, false, false),
            Op::Drop | Op::LocalSet { .. } | Op::GlobalSet { .. } => (1, false, false),
            Op::I32Const { .. } | Op::I64Const { .. } | Op::F32Const { .. } | Op::F64Const { .. } => {
                (0, true, false)
            }
            Op::LocalGet { .. } | Op::GlobalGet { .. } => (0, true, false),
            Op::LocalTee { .. } => (1, true, false),
            Op::Select => (3, true, false),
            Op::I32Load { .. } | Op::I32Load8S { .. } | Op::I32Load8U { .. } => (1, true, true),
            Op::I32Load16S { .. } | Op::I32Load16U { .. } => (1, true, true),
            Op::I64Load { .. } | Op::I64Load8S { .. } | Op::I64Load8U { .. } => (1, true, true),
            Op::I64Load16S { .. } | Op::I64Load16U { .. } => (1, true, true),
            Op::I64Load32S { .. } | Op::I64Load32U { .. } => (1, true, true),
            Op::F32Load { .. } | Op::F64Load { .. } => (1, true, true),
            Op::I32Store { .. } | Op::I32Store8 { .. } | Op::I32Store16 { .. } => (2, false, true),
            Op::I64Store { .. } | Op::I64Store8 { .. } => (2, false, true),
            Op::I64Store16 { .. } | Op::I64Store32 { .. } => (2, false, true),
            Op::F32Store { .. } | Op::F64Store { .. } => (2, false, true),
            Op::I32Eqz | Op::I32Clz | Op::I32Ctz | Op::I32Popcnt | Op::I32WrapI64 => (1, true, false),
            Op::I64Eqz | Op::I64Clz | Op::I64Ctz | Op::I64Popcnt => (1, true, false),
            Op::I32Extend8S | Op::I32Extend16S | Op::I64ExtendI32S | Op::I64ExtendI32U => (1, true, false),
            Op::I64Extend8S | Op::I64Extend16S | Op::I64Extend32S => (1, true, false),
            Op::I32Add | Op::I32Sub | Op::I32Mul | Op::I32DivS | Op::I32DivU | Op::I32RemS | Op::I32RemU => {
                (2, true, false)
            }
            Op::I32And | Op::I32Or | Op::I32Xor | Op::I32Shl | Op::I32ShrS | Op::I32ShrU => (2, true, false),
            Op::I32Rotl | Op::I32Rotr => (2, true, false),
            Op::I32Eq | Op::I32Ne | Op::I32LtS | Op::I32LtU | Op::I32GtS | Op::I32GtU => (2, true, false),
            Op::I32LeS | Op::I32LeU | Op::I32GeS | Op::I32GeU => (2, true, false),
            Op::I64Add | Op::I64Sub | Op::I64Mul | Op::I64DivS | Op::I64DivU | Op::I64RemS | Op::I64RemU => {
                (2, true, false)
            }
            Op::I64And | Op::I64Or | Op::I64Xor | Op::I64Shl | Op::I64ShrS | Op::I64ShrU => (2, true, false),
            Op::I64Rotl | Op::I64Rotr => (2, true, false),
            Op::I64Eq | Op::I64Ne | Op::I64LtS | Op::I64LtU | Op::I64GtS | Op::I64GtU => (2, true, false),
            Op::I64LeS | Op::I64LeU | Op::I64GeS | Op::I64GeU => (2, true, false),
            Op::F64Add | Op::F64Sub | Op::F64Mul | Op::F64Div => (2, true, false),
            _ => return None,
        };
        Some(Self { taken, gives, accesses_memory })
    }
}

/// Where a load or a store has its offset.
fn memory_argument<'a>(operator: &'a mut Operator<'_>) -> Option<&'a mut MemArg> {
    use Operator as Op;
    match operator {
        Op::I32Load { memarg }
        | Op::I32Load8S { memarg }
        | Op::I32Load8U { memarg }
        | Op::I32Load16S { memarg }
        | Op::I32Load16U { memarg }
        | Op::I64Load { memarg }
        | Op::I64Load8S { memarg }
        | Op::I64Load8U { memarg }
        | Op::I64Load16S { memarg }
        | Op::I64Load16U { memarg }
        | Op::I64Load32S { memarg }
        | Op::I64Load32U { memarg }
        | Op::F32Load { memarg }
        | Op::F64Load { memarg }
        | Op::I32Store { memarg }
        | Op::I32Store8 { memarg }
        | Op::I32Store16 { memarg }
        | Op::I64Store { memarg }
        | Op::I64Store8 { memarg }
        | Op::I64Store16 { memarg }
        | Op::I64Store32 { memarg }
        | Op::F32Store { memarg }
        | Op::F64Store { memarg } => Some(memarg),
        _ => None,
    }
}
