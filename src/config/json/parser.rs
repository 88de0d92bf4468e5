//! The grammar of RFC 8259.

use super::super::decimal::Decimal;
use super::{DEPTH_MAX, Node};
use alloc::string::String;
use alloc::vec::Vec;

const TOO_SHORT: &str = "the text ends too early";
const TOO_DEEP: &str = "nested deeper than 64";
const _: () = assert!(DEPTH_MAX == 64, "TOO_DEEP contains this number");

/// A value, or what is wrong at the parser's position.
type Read<T> = Result<T, &'static str>;

/// Reads one document.
///
/// # Errors
/// What is wrong, and at which byte.
#[expect(clippy::arithmetic_side_effects, reason = "the rest is a part of the text")]
pub(super) fn read(bytes: &[u8]) -> Result<Node, (&'static str, usize)> {
    let text = str::from_utf8(bytes).map_err(|error| ("the text is not UTF-8", error.valid_up_to()))?;
    let mut parser = Parser { rest: text, depth: 0 };
    let read = parser.document();
    read.map_err(|problem| (problem, text.len() - parser.rest.len()))
}

struct Parser<'a> {
    /// The text from the parser's position on.
    rest: &'a str,
    depth: usize,
}

impl Parser<'_> {
    fn document(&mut self) -> Read<Node> {
        let node = self.value()?;
        self.skip_space();
        if self.rest.is_empty() { Ok(node) } else { Err("more text follows the end of the document") }
    }

    fn value(&mut self) -> Read<Node> {
        self.skip_space();
        match self.peek()? {
            b'{' => self.nested(Self::object),
            b'[' => self.nested(Self::list),
            b'"' => self.string().map(Node::String),
            b'-' | b'0'..=b'9' => self.number(),
            _ => {
                let words = [("null", Node::Null), ("true", Node::Bool(true)), ("false", Node::Bool(false))];
                let word = words.into_iter().find(|(word, _)| self.rest.starts_with(word));
                let (word, node) = word.ok_or("a value is missing")?;
                self.advance(word.len());
                Ok(node)
            }
        }
    }

    /// Reads a list or an object.
    #[expect(clippy::arithmetic_side_effects, reason = "the depth is at most DEPTH_MAX")]
    fn nested(&mut self, read: fn(&mut Self) -> Read<Node>) -> Read<Node> {
        if self.depth >= DEPTH_MAX {
            return Err(TOO_DEEP);
        }
        self.depth += 1;
        self.advance(1);
        let node = read(self);
        self.depth -= 1;
        node
    }

    fn list(&mut self) -> Read<Node> {
        let mut items = Vec::new();
        if self.take_after_space(b']') {
            return Ok(Node::List(items));
        }
        loop {
            items.push(self.value()?);
            if self.ends(b']', "',' or ']' is missing")? {
                return Ok(Node::List(items));
            }
        }
    }

    fn object(&mut self) -> Read<Node> {
        let mut members = Vec::new();
        if self.take_after_space(b'}') {
            return Ok(Node::Object(members));
        }
        loop {
            self.skip_space();
            if self.peek()? != b'"' {
                return Err("a name in quotes is missing");
            }
            let name = self.string()?;
            self.skip_space();
            if self.peek()? != b':' {
                return Err("':' is missing");
            }
            self.advance(1);
            members.push((name, self.value()?));
            if self.ends(b'}', "',' or '}' is missing")? {
                return Ok(Node::Object(members));
            }
        }
    }

    /// Whether a list or an object ends here. Otherwise there must be a comma, and another item behind it.
    fn ends(&mut self, end: u8, missing: &'static str) -> Read<bool> {
        if self.take_after_space(end) {
            return Ok(true);
        }
        if self.peek()? != b',' {
            return Err(missing);
        }
        let comma = self.rest;
        self.advance(1);
        if self.take_after_space(end) {
            self.rest = comma;
            return Err("a comma after the last item");
        }
        Ok(false)
    }

    fn string(&mut self) -> Read<String> {
        let mut text = String::new();
        self.advance(1);
        loop {
            let is_special = |byte: u8| byte == b'"' || byte == b'\\' || byte < b' ';
            let plain = self.rest.bytes().take_while(|&byte| !is_special(byte)).count();
            text.push_str(self.rest.get(..plain).unwrap_or_default());
            self.advance(plain);
            match self.peek()? {
                b'"' => {
                    self.advance(1);
                    return Ok(text);
                }
                b'\\' => text.push(self.escaped()?),
                _ => return Err("a control character in a string must be escaped"),
            }
        }
    }

    fn escaped(&mut self) -> Read<char> {
        let escape = self.rest;
        let problem = "JSON has no such escape";
        self.advance(1);
        let byte = self.peek()?;
        let plain = match byte {
            b'"' | b'\\' | b'/' => Some(char::from(byte)),
            b'b' => Some('\u{8}'),
            b'f' => Some('\u{c}'),
            b'n' => Some('\n'),
            b'r' => Some('\r'),
            b't' => Some('\t'),
            _ => None,
        };
        if let Some(plain) = plain {
            self.advance(1);
            return Ok(plain);
        }
        let read = self.unicode();
        if read.is_none() {
            self.rest = escape;
        }
        read.ok_or(problem)
    }

    /// `u` and four digits, and for a pair of surrogates the same again.
    #[expect(clippy::arithmetic_side_effects, reason = "two times ten bits, and 0x10000")]
    fn unicode(&mut self) -> Option<char> {
        let high = self.code_unit()?;
        if !(0xd800..0xdc00).contains(&high) {
            return char::from_u32(high);
        }
        self.rest = self.rest.strip_prefix('\\')?;
        let low = self.code_unit().filter(|low| (0xdc00..0xe000).contains(low))?;
        char::from_u32(((high & 0x3ff) << 10 | low & 0x3ff) + 0x10000)
    }

    fn code_unit(&mut self) -> Option<u32> {
        let (digits, rest) = self.rest.strip_prefix('u')?.split_at_checked(4)?;
        self.rest = rest;
        digits.chars().try_fold(0, |unit, digit| Some(unit << 4 | digit.to_digit(16)?))
    }

    #[expect(clippy::arithmetic_side_effects, reason = "the rest is a part of the text")]
    fn number(&mut self) -> Read<Node> {
        let text = self.rest;
        let problem = "a digit is missing";
        self.take(b"-");
        if !self.take(b"0") && !self.digits() {
            return Err(problem);
        }
        if self.take(b".") && !self.digits() {
            return Err(problem);
        }
        if self.take(b"eE") {
            self.take(b"+-");
            if !self.digits() {
                return Err(problem);
            }
        }
        let number = text.get(..text.len() - self.rest.len());
        Ok(Node::Number(Decimal::parse(number.unwrap_or_default())))
    }

    /// Consumes digits, and tells whether there were any.
    fn digits(&mut self) -> bool {
        let count = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        self.advance(count);
        count > 0
    }

    /// Consumes the next byte if it is one of these, and tells whether it was.
    fn take(&mut self, bytes: &[u8]) -> bool {
        let is_next = self.peek().is_ok_and(|byte| bytes.contains(&byte));
        self.advance(usize::from(is_next));
        is_next
    }

    fn take_after_space(&mut self, byte: u8) -> bool {
        self.skip_space();
        self.take(&[byte])
    }

    fn skip_space(&mut self) {
        let count = self.rest.bytes().take_while(|byte| b" \t\r\n".contains(byte)).count();
        self.advance(count);
    }

    fn peek(&self) -> Read<u8> {
        self.rest.bytes().next().ok_or(TOO_SHORT)
    }

    /// Consumes so many bytes.
    fn advance(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
    }
}
