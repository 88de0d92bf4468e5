//! The module binds the proxy-wasm ABI itself. The SDK, which it does without, is what its numbers and its signatures are
//! compared with.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use proxy_wasm::types::{Action, BufferType, LogLevel, MapType, MetricType, Status, StreamType};
use syn::{Expr, ExprLit, ForeignItem, Item, Lit, ReturnType, Signature, Type};

/// Values of WebAssembly, as far as the ABI has them.
#[derive(Debug, PartialEq, Eq)]
enum Value {
    I32,
    I64,
}

/// The parameters of a function, and its result.
type Shape = (Vec<Value>, Option<Value>);

/// The types that the ABI passes as 32 bits, by the SDK's names and by ours.
const I32_TYPES: [&str; 13] = [
    "usize",
    "u32",
    "i32",
    "bool",
    "ContextId",
    "LogLevel",
    "MapType",
    "BufferType",
    "MetricType",
    "StreamType",
    "Status",
    "Action",
    "PeerType",
];

fn value(of: &Type) -> Value {
    match of {
        Type::Ptr(_) => Value::I32,
        Type::Path(path) => match path.path.segments.last().unwrap().ident.to_string().as_str() {
            "u64" | "i64" => Value::I64,
            name if I32_TYPES.contains(&name) => Value::I32,
            name => panic!("the type {name} is in no list"),
        },
        _ => panic!("a type that the ABI does not have"),
    }
}

fn shape(signature: &Signature) -> Shape {
    let parameters = signature.inputs.iter().filter_map(|input| match input {
        syn::FnArg::Typed(parameter) => Some(value(&parameter.ty)),
        syn::FnArg::Receiver(_) => None,
    });
    let result = match &signature.output {
        ReturnType::Default => None,
        ReturnType::Type(_, of) => Some(value(of)),
    };
    (parameters.collect(), result)
}

/// Every `extern "C"` function of a file: those that it calls, and those that it exports.
fn functions(text: &str) -> BTreeMap<String, Shape> {
    fn visit(items: &[Item], found: &mut BTreeMap<String, Shape>) {
        for item in items {
            match item {
                Item::Mod(module) => visit(module.content.as_ref().map_or(&[], |(_, items)| items), found),
                Item::ForeignMod(block) => {
                    for item in &block.items {
                        if let ForeignItem::Fn(function) = item {
                            found.insert(function.sig.ident.to_string(), shape(&function.sig));
                        }
                    }
                }
                Item::Fn(function) if function.sig.abi.is_some() => {
                    found.insert(function.sig.ident.to_string(), shape(&function.sig));
                }
                _ => {}
            }
        }
    }
    let mut found = BTreeMap::new();
    visit(&syn::parse_file(text).unwrap().items, &mut found);
    found.retain(|name, _| name.starts_with("proxy_"));
    found
}

/// A file of the SDK's source, as cargo has it.
fn sdk(file: &str) -> String {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline"])
        .current_dir(super::root())
        .output()
        .unwrap();
    let metadata = String::from_utf8(metadata.stdout).unwrap();
    let paths = metadata.split("\"manifest_path\":\"").skip(1).filter_map(|rest| rest.split('"').next());
    let manifest = paths.map(PathBuf::from).find(|path| path.to_string_lossy().contains("/proxy-wasm-0."));
    std::fs::read_to_string(manifest.unwrap().with_file_name("src").join(file)).unwrap()
}

fn ours(file: &str) -> String {
    std::fs::read_to_string(super::root().join("src/proxy_wasm").join(file)).unwrap()
}

#[test]
fn calls_and_callbacks_have_the_signatures_of_the_sdk() {
    let theirs: BTreeMap<_, _> = ["hostcalls.rs", "dispatcher.rs", "allocator.rs"]
        .iter()
        .flat_map(|file| functions(&sdk(file)))
        .collect();
    let ours: BTreeMap<_, _> =
        ["abi.rs", "callbacks.rs"].iter().flat_map(|file| functions(&ours(file))).collect();
    let compared = ours.iter().filter(|(name, _)| !name.starts_with("proxy_abi_version"));
    let mut count = 0;
    for (name, shape) in compared {
        assert_eq!(theirs.get(name), Some(shape), "{name}");
        count += 1;
    }
    assert!(count > 25, "{count} functions compared");
}

/// The numbers of our enums and constants: `Enum::Variant` or `CONSTANT`.
fn numbers(text: &str) -> BTreeMap<String, u32> {
    let number = |expression: &Expr| match expression {
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => number.base10_parse().ok(),
        _ => None,
    };
    let mut found = BTreeMap::new();
    for item in syn::parse_file(text).unwrap().items {
        match item {
            Item::Enum(item) => {
                for variant in &item.variants {
                    let value = variant.discriminant.as_ref().and_then(|(_, value)| number(value));
                    found.extend(value.map(|value| (format!("{}::{}", item.ident, variant.ident), value)));
                }
            }
            Item::Const(item) => {
                found.extend(number(&item.expr).map(|value| (item.ident.to_string(), value)))
            }
            _ => {}
        }
    }
    found
}

#[test]
fn numbers_are_those_of_the_sdk() {
    let ours = [numbers(&ours("abi.rs")), numbers(&ours("callbacks.rs"))].into_iter().flatten();
    let ours: BTreeMap<_, _> = ours.collect();
    for (name, theirs) in [
        ("OK", Status::Ok as u32),
        ("REQUEST_STREAM", StreamType::HttpRequest as u32),
        ("CONTINUE", Action::Continue as u32),
        ("Map::Request", MapType::HttpRequestHeaders as u32),
        ("Map::Response", MapType::HttpResponseHeaders as u32),
        ("Buffer::RequestBody", BufferType::HttpRequestBody as u32),
        ("Buffer::ResponseBody", BufferType::HttpResponseBody as u32),
        ("Buffer::PluginConfiguration", BufferType::PluginConfiguration as u32),
        ("LogLevel::Info", LogLevel::Info as u32),
        ("LogLevel::Warn", LogLevel::Warn as u32),
        ("LogLevel::Error", LogLevel::Error as u32),
        ("MetricType::Counter", MetricType::Counter as u32),
        ("MetricType::Gauge", MetricType::Gauge as u32),
        ("MetricType::Histogram", MetricType::Histogram as u32),
    ] {
        assert_eq!(ours.get(name), Some(&theirs), "{name}");
    }
}
