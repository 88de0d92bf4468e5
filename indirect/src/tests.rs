use proptest::prelude::*;
use wasm_encoder::{
    CodeSection, ConstExpr, ElementSection, Elements, EntityType, ExportKind, ExportSection, Function,
    FunctionSection, ImportSection, Instruction, MemorySection, MemoryType, Module, RefType, TableSection,
    TableType, TypeSection, ValType,
};
use wasmparser::{ElementItems, FunctionBody, Operator, Parser, Payload};

use super::{Error, HOT, PLACES_MAX, TINY_BYTES, indirect};

const IMPORTED: u32 = 2;

/// One operation of a function.
#[derive(Clone, Debug)]
enum Step {
    /// Calls one of the functions.
    Call(usize),
    /// This many pairs of instructions.
    Work(u8),
    /// Calls a function that is in the table already.
    CallIndirect,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0..99_usize).prop_map(Step::Call),
        (0..30_u8).prop_map(Step::Work),
        Just(Step::CallIndirect),
    ];
    prop::collection::vec(step, 0..8)
}

/// A module of two imports and a function for each of `bodies`. The first `listed` functions are in the table, from
/// slot 3. The last function is exported as `name`, and the first import under the other names in [`HOT`].
fn module(bodies: &[Vec<Step>], listed: usize, name: &str) -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function([], []);
    types.ty().function([ValType::I32], [ValType::I32]);
    let mut imports = ImportSection::new();
    for name in ["a", "b"].iter().take(IMPORTED as usize) {
        imports.import("host", name, EntityType::Function(1));
    }
    let count = bodies.len() + IMPORTED as usize;
    let mut functions = FunctionSection::new();
    let kind = |function: usize| u32::from(function < IMPORTED as usize || function.is_multiple_of(3));
    (IMPORTED as usize..count).for_each(|function| {
        functions.function(kind(function));
    });
    let slots: Vec<u32> = (0..count.min(listed) as u32).collect();
    let size = 3 + slots.len() as u64;
    let mut tables = TableSection::new();
    let (element_type, maximum) = (RefType::FUNCREF, Some(size));
    tables.table(TableType { element_type, table64: false, minimum: size, maximum, shared: false });
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: 1,
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    let mut exports = ExportSection::new();
    exports.export(name, ExportKind::Func, count as u32 - 1);
    for other in HOT.iter().filter(|&&hot| hot != name) {
        exports.export(other, ExportKind::Func, 0);
    }
    let mut elements = ElementSection::new();
    elements.active(None, &ConstExpr::i32_const(3), Elements::Functions(slots.as_slice().into()));
    let mut code = CodeSection::new();
    for (at, body) in bodies.iter().enumerate() {
        let mut function = Function::new([(1, ValType::I64)]);
        let mut add = |instruction| {
            function.instruction(&instruction);
        };
        for step in body {
            match step {
                Step::Call(callee) => {
                    let callee = callee % count;
                    if kind(callee) == 1 {
                        add(Instruction::I32Const(7));
                        add(Instruction::Call(callee as u32));
                        add(Instruction::Drop);
                    } else {
                        add(Instruction::Call(callee as u32));
                    }
                }
                Step::Work(times) => (0..*times).for_each(|_| {
                    add(Instruction::V128Const(1 << 100));
                    add(Instruction::Drop);
                }),
                Step::CallIndirect => {
                    add(Instruction::I32Const(1));
                    add(Instruction::I32Const(3));
                    add(Instruction::CallIndirect { type_index: 1, table_index: 0 });
                    add(Instruction::Drop);
                }
            }
        }
        if kind(at + IMPORTED as usize) == 1 {
            add(Instruction::I32Const(1));
        }
        add(Instruction::End);
        code.function(&function);
    }
    let mut module = Module::new();
    module.section(&types).section(&imports).section(&functions).section(&tables).section(&memories);
    module.section(&exports).section(&elements).section(&code);
    module.finish()
}

/// The functions' bodies, the functions in the table, and all other sections.
struct Taken<'m> {
    bodies: Vec<FunctionBody<'m>>,
    slots: Vec<u32>,
    others: Vec<(u8, &'m [u8])>,
}

fn take(module: &[u8]) -> Taken<'_> {
    let mut taken = Taken { bodies: Vec::new(), slots: Vec::new(), others: Vec::new() };
    for payload in Parser::new(0).parse_all(module) {
        match payload.unwrap() {
            Payload::CodeSectionEntry(body) => taken.bodies.push(body),
            Payload::CodeSectionStart { .. } | Payload::TableSection(_) => {}
            Payload::ElementSection(section) => {
                for element in section {
                    let ElementItems::Functions(items) = element.unwrap().items else {
                        panic!("no functions")
                    };
                    taken.slots.extend(items.into_iter().map(Result::unwrap));
                }
            }
            payload => {
                let section = payload.as_section();
                let bytes = |(id, range): (u8, std::ops::Range<u64>)| {
                    (id, &module[range.start as usize..range.end as usize])
                };
                taken.others.extend(section.map(bytes));
            }
        }
    }
    taken
}

/// Each operator as text, with a call through a known slot of the table as the direct call that it replaces.
fn calls_as_text(body: &FunctionBody<'_>, slots: &[u32], is_rewritten: bool) -> Vec<String> {
    let mut texts = Vec::new();
    let mut operators = body.get_operators_reader().unwrap().into_iter().map(Result::unwrap).peekable();
    while let Some(operator) = operators.next() {
        match (&operator, operators.peek()) {
            (Operator::I32Const { value }, Some(Operator::CallIndirect { .. })) if is_rewritten => {
                operators.next();
                texts.push(format!("call {}", slots[*value as usize - 3]));
            }
            (Operator::I32Const { value: 3 }, Some(Operator::CallIndirect { .. })) => {
                operators.next();
                texts.push(format!("call {}", slots[0]));
            }
            (Operator::Call { function_index }, _) => texts.push(format!("call {function_index}")),
            _ => texts.push(format!("{operator:?}")),
        }
    }
    texts
}

proptest! {
    #[test]
    fn the_rewritten_module_is_equivalent(bodies in prop::collection::vec(steps(), 1..6), listed in 1..6_usize, is_hot: bool) {
        let name = if is_hot { HOT[0] } else { "proxy_on_log" };
        let before = module(&bodies, listed, name);
        let after = indirect(&before).unwrap();
        let (before, after) = (take(&before), take(&after));
        prop_assert_eq!(&before.others, &after.others);
        prop_assert_eq!(&before.slots, &after.slots[..before.slots.len()]);
        prop_assert_eq!(before.bodies.len(), after.bodies.len());
        for (old, new) in before.bodies.iter().zip(&after.bodies) {
            prop_assert_eq!(calls_as_text(old, &before.slots, false), calls_as_text(new, &after.slots, true));
        }
    }

    #[test]
    fn only_tiny_functions_are_called_directly(bodies in prop::collection::vec(steps(), 1..6)) {
        let before = module(&bodies, 1, "proxy_on_log");
        let sizes: Vec<_> = take(&before).bodies.iter().map(|body| body.as_bytes().len()).collect();
        let after = indirect(&before).unwrap();
        for body in take(&after).bodies {
            for operator in body.get_operators_reader().unwrap() {
                if let Operator::Call { function_index } = operator.unwrap() {
                    let own = function_index.checked_sub(IMPORTED);
                    prop_assert!(own.is_none_or(|own| sizes[own as usize] < TINY_BYTES));
                }
            }
        }
    }

    #[test]
    fn any_bytes_are_refused_or_rewritten(bytes: Vec<u8>, callee: u8, at: prop::sample::Index, byte: u8) {
        prop_assert!(indirect(&bytes).is_err());
        let mut module = module(&[vec![Step::Work(9)], vec![Step::Call(callee.into())]], 2, HOT[1]);
        let at = at.index(module.len());
        module[at] = byte;
        let _ = indirect(&module);
    }
}

/// How many direct and how many indirect calls each body makes.
fn kinds(module: &[u8]) -> Vec<(usize, usize)> {
    let count = |body: &FunctionBody<'_>| {
        let operators: Vec<_> =
            body.get_operators_reader().unwrap().into_iter().map(Result::unwrap).collect();
        let direct = operators.iter().filter(|operator| matches!(operator, Operator::Call { .. })).count();
        let indirect =
            operators.iter().filter(|operator| matches!(operator, Operator::CallIndirect { .. })).count();
        (direct, indirect)
    };
    take(module).bodies.iter().map(count).collect()
}

#[test]
fn hot_functions_directly_call_functions_with_few_call_sites() {
    let call = Step::Call;
    // After the imports: the allocator, a helper, another function, one that calls the allocator often, the exported
    // one.
    let (allocator, helper) = (2, 3);
    let large = || Step::Work(29);
    let body = |name: &str, calls: usize| {
        let bodies = [
            vec![large()],
            vec![large(), call(allocator)],
            vec![large(), call(helper), call(allocator)],
            std::iter::repeat_with(|| call(allocator)).take(calls).collect(),
            vec![large(), call(helper), call(allocator)],
        ];
        kinds(&indirect(&module(&bodies, 1, name)).unwrap())
    };
    // Without a hot function, every call is indirect.
    let none_is_hot = [(0, 0), (0, 1), (0, 2), (0, PLACES_MAX), (0, 2)];
    assert_eq!(body("proxy_on_log", PLACES_MAX), none_is_hot);
    // The callback calls its helper directly, and the allocator indirectly like all others.
    assert_eq!(body(HOT[0], PLACES_MAX), [(0, 0), (0, 1), (0, 2), (0, PLACES_MAX), (1, 1)]);
    // With few call sites the allocator is hot too. The helper is hot in both cases.
    let few = PLACES_MAX - 3;
    assert_eq!(body(HOT[0], few), [(0, 0), (1, 0), (0, 2), (0, few), (2, 0)]);
}

#[test]
fn a_module_without_a_table_is_refused() {
    let error = indirect(&Module::new().finish()).unwrap_err();
    assert!(matches!(error, Error::Unlike(_)), "{error}");
}

#[test]
fn a_module_without_the_hot_callbacks_is_refused() {
    let whole = module(&[vec![Step::Work(9)]], 1, HOT[0]);
    assert!(indirect(&whole).is_ok());
    for hot in HOT {
        // Another name of the same length.
        let at = whole.windows(hot.len()).position(|bytes| bytes == hot.as_bytes()).unwrap();
        let mut renamed = whole.clone();
        renamed[at] = b'P';
        let error = indirect(&renamed).unwrap_err();
        assert!(matches!(error, Error::Unlike(_)), "{error}");
    }
}
