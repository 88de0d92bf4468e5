//! Makes a module's calls indirect, so that Envoy's V8 compiles each function once and not many times.
//!
//! In: a module as rustc links it. Out: an equivalent module in which most calls go through the table.
//!
//! Envoy runs V8 without Liftoff, its baseline compiler. So V8 has no call counts for inlining. It inlines callees in
//! the order of their calls, recursively, until they are three times as long as the caller. It does not inline indirect
//! calls. Inlined copies, nearly all of code that seldom runs, were more than half of the module's compile time and
//! code.
//!
//! An indirect call is slower, most of all if little code runs between two of them. So a call stays direct if it is
//! made for each piece of a response, or if the inlined copy is hardly longer than the call.
//!
//! V8's rule is `should_inline` in `src/wasm/turboshaft-graph-interface.cc`, for the case without Liftoff.

#[cfg(test)]
mod tests;

use std::ops::Range;

use wasm_encoder::{
    CodeSection, ConstExpr, ElementSection, Elements, Encode, Instruction, Module, RawSection, RefType,
    TableSection, TableType,
};
use wasmparser::{
    BinaryReaderError, Element, ElementItems, ElementKind, ExternalKind, FunctionBody, Operator, Parser,
    Payload, Table, TypeRef, Validator,
};

/// A function with fewer bytes than this is called directly.
pub const TINY_BYTES: usize = 56;
/// The callbacks that run for each piece of a response.
pub const HOT: [&str; 2] = ["proxy_on_memory_allocate", "proxy_on_response_body"];
/// A function with more call sites than this, such as the allocator, is called indirectly even by hot functions.
pub const PLACES_MAX: usize = 8;

/// Why a module cannot be rewritten.
#[derive(Debug)]
pub enum Error {
    /// It is not WebAssembly, or not valid.
    Invalid(BinaryReaderError),
    /// It is not as rustc links a module. The text says which part.
    Unlike(&'static str),
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Error::Invalid(error) => write!(f, "not a valid module: {error}"),
            Error::Unlike(part) => write!(f, "not a module that rustc linked: {part}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<BinaryReaderError> for Error {
    fn from(error: BinaryReaderError) -> Error {
        Error::Invalid(error)
    }
}

/// Returns the module with its calls indirect. Direct calls remain to functions below [`TINY_BYTES`], and from functions
/// that run for each piece of a response ([`HOT`]) to those with at most [`PLACES_MAX`] call sites.
///
/// # Errors
///
/// If the module is invalid, does not have exactly one table, of a fixed size and filled by one list of functions, or
/// does not export all [`HOT`] callbacks.
pub fn indirect(module: &[u8]) -> Result<Vec<u8>, Error> {
    Validator::new().validate_all(module)?;
    let mut parts = Parts::of(module)?;
    let hot = parts.hot()?;
    let mut code = CodeSection::new();
    for (body, is_hot) in std::mem::take(&mut parts.bodies).iter().zip(hot) {
        code.raw(&parts.rewrite(module, body, is_hot)?);
    }

    let mut written = Module::new();
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::TableSection(_) => written.section(&parts.table()?),
            Payload::ElementSection(_) => written.section(&parts.elements()),
            Payload::CodeSectionStart { .. } => written.section(&code),
            Payload::CodeSectionEntry(_) => continue,
            payload => match payload.as_section() {
                Some((id, range)) => {
                    let data = bytes(module, range)?;
                    written.section(&RawSection { id, data })
                }
                None => continue,
            },
        };
    }
    let written = written.finish();
    Validator::new().validate_all(&written)?;
    Ok(written)
}

/// The parts of a module that concern its calls.
struct Parts<'m> {
    /// The type of each function; imported functions come first.
    types: Vec<u32>,
    imported: usize,
    bodies: Vec<FunctionBody<'m>>,
    /// The size of each body in bytes.
    sizes: Vec<usize>,
    /// The number of direct calls of each body.
    places: Vec<usize>,
    /// The [`HOT`] callbacks.
    roots: Vec<u32>,
    /// The slot of the first function in the table.
    base: u32,
    /// The functions in the table.
    slots: Vec<u32>,
    /// The slot of each function in the table.
    slot_of: Vec<Option<u32>>,
}

impl<'m> Parts<'m> {
    fn of(module: &'m [u8]) -> Result<Parts<'m>, Error> {
        let (mut types, mut imported, mut bodies) = (Vec::new(), 0, Vec::new());
        let (mut tables, mut elements, mut roots) = (Vec::new(), Vec::new(), Vec::new());
        for payload in Parser::new(0).parse_all(module) {
            match payload? {
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        match import?.ty {
                            TypeRef::Func(kind) | TypeRef::FuncExact(kind) => types.push(kind),
                            TypeRef::Table(_) => return Err(Error::Unlike("the table is imported")),
                            _ => {}
                        }
                    }
                    imported = types.len();
                }
                Payload::FunctionSection(functions) => {
                    for kind in functions {
                        types.push(kind?);
                    }
                }
                Payload::ExportSection(exports) => {
                    for export in exports {
                        let export = export?;
                        let is_hot = export.kind == ExternalKind::Func && HOT.contains(&export.name);
                        roots.extend(is_hot.then_some(export.index));
                    }
                }
                Payload::TableSection(section) => tables.extend(section),
                Payload::ElementSection(section) => elements.extend(section),
                Payload::CodeSectionEntry(body) => bodies.push(body),
                _ => {}
            }
        }
        if roots.len() < HOT.len() {
            return Err(Error::Unlike("the exported callbacks")); // a renamed callback would become slow without notice
        }
        let size = one(tables).and_then(|table| fixed_size(&table)).ok_or(Error::Unlike("the table"))?;
        let (base, slots) = one(elements)
            .and_then(|element| functions(&element))
            .filter(|(base, slots)| Some(size) == slot(*base, slots.len()))
            .ok_or(Error::Unlike("the elements of the table"))?;
        let sizes = bodies.iter().map(|body| body.as_bytes().len()).collect();
        let mut places = vec![0_usize; bodies.len()];
        for body in &bodies {
            for callee in calls(body)? {
                let own = own(callee, imported).and_then(|own| places.get_mut(own));
                own.into_iter().for_each(|places| *places = places.saturating_add(1));
            }
        }
        let slot_of = vec![None; types.len()];
        Ok(Parts { types, imported, bodies, sizes, places, roots, base, slots, slot_of })
    }

    /// Which bodies are hot: the [`HOT`] callbacks and, transitively, the functions with few call sites that they call.
    fn hot(&self) -> Result<Vec<bool>, Error> {
        let mut hot = vec![false; self.bodies.len()];
        let mut found = self.roots.clone();
        while let Some(function) = found.pop() {
            let Some(own) = own(function, self.imported) else { continue };
            if let (Some(is_hot @ false), Some(body)) = (hot.get_mut(own), self.bodies.get(own)) {
                *is_hot = true;
                found.extend(calls(body)?.into_iter().filter(|&callee| self.is_called_from_few(callee)));
            }
        }
        Ok(hot)
    }

    fn is_called_from_few(&self, function: u32) -> bool {
        let own = own(function, self.imported).and_then(|own| self.places.get(own));
        own.is_some_and(|&places| places <= PLACES_MAX)
    }

    /// Returns the body with its calls indirect.
    fn rewrite(&mut self, module: &[u8], body: &FunctionBody<'_>, is_hot: bool) -> Result<Vec<u8>, Error> {
        let Range { start: mut copied, end } = body.range();
        let mut written = Vec::with_capacity(body.as_bytes().len());
        let mut operators = body.get_operators_reader()?;
        while !operators.eof() {
            let start = operators.original_position();
            let Operator::Call { function_index } = operators.read()? else { continue };
            if is_hot && self.is_called_from_few(function_index) {
                continue;
            }
            let Some((kind, slot)) = self.indirect(function_index) else { continue };
            written.extend_from_slice(bytes(module, copied..start)?);
            Instruction::I32Const(slot).encode(&mut written);
            Instruction::CallIndirect { type_index: kind, table_index: 0 }.encode(&mut written);
            copied = operators.original_position();
        }
        written.extend_from_slice(bytes(module, copied..end)?);
        Ok(written)
    }

    /// The type of a function, and its slot in the table; `None` if it must be called directly.
    fn indirect(&mut self, function: u32) -> Option<(u32, i32)> {
        let index = usize::try_from(function).ok()?;
        let size = *self.sizes.get(own(function, self.imported)?)?;
        if size < TINY_BYTES {
            return None;
        }
        let kind = *self.types.get(index)?;
        let known = self.slot_of.get_mut(index)?;
        let place = match *known {
            Some(place) => place,
            None => {
                let place = slot(self.base, self.slots.len())?;
                self.slots.push(function);
                *known.insert(place)
            }
        };
        Some((kind, i32::try_from(place).ok()?))
    }

    fn table(&self) -> Result<TableSection, Error> {
        let size = slot(self.base, self.slots.len()).ok_or(Error::Unlike("the table"))?.into();
        let mut section = TableSection::new();
        section.table(TableType {
            element_type: RefType::FUNCREF,
            table64: false,
            minimum: size,
            maximum: Some(size),
            shared: false,
        });
        Ok(section)
    }

    fn elements(&self) -> ElementSection {
        let mut section = ElementSection::new();
        let base = ConstExpr::i32_const(self.base.cast_signed());
        section.active(None, &base, Elements::Functions(self.slots.as_slice().into()));
        section
    }
}

/// The index of a function's body; `None` if the function is imported.
fn own(function: u32, imported: usize) -> Option<usize> {
    usize::try_from(function).ok()?.checked_sub(imported)
}

/// The functions that a body calls directly.
fn calls(body: &FunctionBody<'_>) -> Result<Vec<u32>, Error> {
    let mut calls = Vec::new();
    for operator in body.get_operators_reader()? {
        if let Operator::Call { function_index } = operator? {
            calls.push(function_index);
        }
    }
    Ok(calls)
}

/// The only item; `None` if there is none or more than one.
fn one<T>(all: Vec<Result<T, BinaryReaderError>>) -> Option<T> {
    let mut all = all.into_iter();
    let first = all.next()?.ok()?;
    all.next().is_none().then_some(first)
}

/// The size of a table that never grows.
fn fixed_size(table: &Table<'_>) -> Option<u32> {
    let kind = table.ty;
    let is_plain = kind.element_type == wasmparser::RefType::FUNCREF && !kind.table64 && !kind.shared;
    (is_plain && kind.maximum == Some(kind.initial)).then(|| u32::try_from(kind.initial).ok()).flatten()
}

/// The first slot of a list of functions in the table, and the functions.
fn functions(element: &Element<'_>) -> Option<(u32, Vec<u32>)> {
    let ElementKind::Active { table_index: None | Some(0), offset_expr } = &element.kind else { return None };
    let ElementItems::Functions(items) = &element.items else { return None };
    let mut offset = offset_expr.get_operators_reader();
    let Ok(Operator::I32Const { value }) = offset.read() else { return None };
    Some((value.cast_unsigned(), items.clone().into_iter().collect::<Result<_, _>>().ok()?))
}

/// The slot `count` places after `base`.
fn slot(base: u32, count: usize) -> Option<u32> {
    base.checked_add(u32::try_from(count).ok()?)
}

fn bytes(module: &[u8], range: Range<u64>) -> Result<&[u8], Error> {
    let range = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
    range.and_then(|(start, end)| module.get(start..end)).ok_or(Error::Unlike("a section's length"))
}
