//! Makes a module's calls indirect, so that Envoy's V8 compiles each function once and not many times.
//!
//! In: a module as rustc links it. Out: the same module, but most calls go through the table. It does the same.
//!
//! Envoy runs V8 without Liftoff, its first compiler. Without that V8 does not know which calls are frequent, and copies
//! the functions that a function calls into it, whichever come first, until they are three times as long as itself;
//! and again into those. An indirect call it leaves as it is. More than half of the time that the module takes to
//! compile, and of the code that comes of it, were such copies, nearly all of them of code that seldom runs.
//!
//! An indirect call is slower, most of all where little else runs in between. So calls stay direct where they are
//! made for each piece of a response, and where a copy is hardly longer than the call.
//!
//! V8's rule is `should_inline` in its `src/wasm/turboshaft-graph-interface.cc`, for the case without Liftoff.

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

/// A function of fewer bytes is called directly.
pub const TINY_BYTES: usize = 56;
/// The callbacks that run for each piece of a response.
pub const HOT: [&str; 2] = ["proxy_on_memory_allocate", "proxy_on_response_body"];
/// What is called from more places is the allocator, a panic, or the like: not even what is hot is to hold copies of it.
pub const PLACES_MAX: usize = 8;

/// Why a module cannot be rewritten.
#[derive(Debug)]
pub enum Error {
    /// It is not WebAssembly, or not valid.
    Invalid(BinaryReaderError),
    /// It is not as rustc links a module: the part that is not.
    Unlike(&'static str),
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Error::Invalid(error) => write!(f, "no valid module: {error}"),
            Error::Unlike(part) => write!(f, "not a module as rustc links it: {part}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<BinaryReaderError> for Error {
    fn from(error: BinaryReaderError) -> Error {
        Error::Invalid(error)
    }
}

/// The module with its calls indirect, but for those of functions below [`TINY_BYTES`], and those that what is [`HOT`]
/// makes of functions that are called from at most [`PLACES_MAX`] places.
///
/// # Errors
///
/// When it is not valid, does not have one table of a fixed size that one list of functions fills, or does not export
/// all that is [`HOT`].
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

/// What of a module bears on its calls.
struct Parts<'m> {
    /// The type of each function, those imported first.
    types: Vec<u32>,
    imported: usize,
    bodies: Vec<FunctionBody<'m>>,
    /// Bytes of each body.
    sizes: Vec<usize>,
    /// How many calls there are of each body.
    places: Vec<usize>,
    /// The functions that are [`HOT`] themselves.
    roots: Vec<u32>,
    /// The place in the table of the first function there.
    base: u32,
    /// The functions in the table.
    slots: Vec<u32>,
    /// The place in the table of each function.
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
                            TypeRef::Table(_) => return Err(Error::Unlike("its table is imported")),
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
            return Err(Error::Unlike("the callbacks that it exports")); // renamed, all would be slow and nobody know why
        }
        let size = one(tables).and_then(|table| fixed_size(&table)).ok_or(Error::Unlike("its table"))?;
        let (base, slots) = one(elements)
            .and_then(|element| functions(&element))
            .filter(|(base, slots)| Some(size) == slot(*base, slots.len()))
            .ok_or(Error::Unlike("what fills its table"))?;
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

    /// Which bodies are hot: what is [`HOT`], and what is called there from few places, and there again.
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

    /// The body with its calls indirect.
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

    /// The type of a function, and its place in the table; `None` if it is to be called directly.
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
        let size = slot(self.base, self.slots.len()).ok_or(Error::Unlike("its table"))?.into();
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

/// Which body a function has; `None` if it is imported.
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

/// The only one there is.
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

/// Where in the table a list of functions begins, and the functions.
fn functions(element: &Element<'_>) -> Option<(u32, Vec<u32>)> {
    let ElementKind::Active { table_index: None | Some(0), offset_expr } = &element.kind else { return None };
    let ElementItems::Functions(items) = &element.items else { return None };
    let mut offset = offset_expr.get_operators_reader();
    let Ok(Operator::I32Const { value }) = offset.read() else { return None };
    Some((value.cast_unsigned(), items.clone().into_iter().collect::<Result<_, _>>().ok()?))
}

/// The place that is so far behind another.
fn slot(base: u32, count: usize) -> Option<u32> {
    base.checked_add(u32::try_from(count).ok()?)
}

fn bytes(module: &[u8], range: Range<u64>) -> Result<&[u8], Error> {
    let range = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
    range
        .and_then(|(start, end)| module.get(start..end))
        .ok_or(Error::Unlike("what it says of its own length"))
}
