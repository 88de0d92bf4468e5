//! Reference sets of other tools.

pub mod chat;
pub mod check;
pub mod grade;
pub mod import;
pub mod js;
pub mod kind;
pub mod limits;
pub mod report;
pub mod request;
pub mod set;
pub mod table;
pub mod template;
pub mod tree;
pub mod yaml;
