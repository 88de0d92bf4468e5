//! How large a set may be. Past a limit a set, a file or a check is refused, with words that name the limit.

/// Bytes of one file.
pub const FILE_BYTES_MAX: usize = 32 << 20;
/// Bytes of all files that one set reads.
pub const SET_BYTES_MAX: usize = 128 << 20;
/// Files that one set reads.
pub const FILES_MAX: usize = 10_000;
/// Lists and objects within each other, in any notation.
pub const DEPTH_MAX: usize = 128;
/// Values of one YAML document, with its aliases written out.
pub const VALUES_MAX: usize = 2_000_000;
/// Bytes of the texts of one YAML document, with its aliases written out.
pub const TEXT_BYTES_MAX: usize = 64 << 20;
/// Cases of one set, after expansion.
pub const CASES_MAX: usize = 100_000;
/// Prompts of one set.
pub const PROMPTS_MAX: usize = 10_000;
/// Requests of one set to one version.
pub const REQUESTS_MAX: usize = 200_000;
/// Checks of one set, over all its cases.
pub const CHECKS_MAX: usize = 1_000_000;
/// Work of one template, in the units of its library: about an instruction, or 64 bytes of output.
pub const TEMPLATE_FUEL: u64 = 1_000_000;
/// Bytes of one rendered template.
pub const RENDERED_BYTES_MAX: usize = 8 << 20;
/// Steps of one regular expression that needs look-around or back-references.
pub const REGEX_STEPS_MAX: usize = 1_000_000;
/// Bytes of one regular expression.
pub const REGEX_BYTES_MAX: usize = 64 << 10;
/// Memory of one compiled regular expression.
pub const REGEX_SIZE_MAX: usize = 8 << 20;
/// Bytes of an answer that are searched for JSON, again and again from each brace.
pub const JSON_SEARCH_BYTES_MAX: usize = 64 << 20;
/// Cells of the table of an edit distance.
pub const DISTANCE_CELLS_MAX: usize = 100_000_000;
/// Kinds of things left out, and warnings, that are kept by name.
pub const NOTES_MAX: usize = 1_000;
/// Bytes of the variables of all cases of a set.
pub const VARIABLES_BYTES_MAX: usize = 256 << 20;
