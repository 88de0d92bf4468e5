//! Reference sets of other tools: what they ask, and what they check of an answer.
//!
//! Pure: bytes and a way to read files beside them in, cases and marks out. [`import`] reads a set, [`request`] makes its requests,
//! [`grade`] checks an answer by a case's checks, [`judged`] says what a judge is asked about it, [`report`] says what a set amounts to. Nothing of a set is ever run. What is not
//! understood is named and counted. What a set may cost is in [`limits`].
//!
//! Absent: sending requests, asking a judge, and the comparison of two versions.

pub mod chat;
pub mod check;
pub mod grade;
pub mod import;
pub mod js;
pub mod judged;
pub mod kind;
pub mod limits;
pub mod report;
pub mod request;
pub mod set;
pub mod table;
pub mod template;
pub mod tree;
pub mod yaml;
