//! Reference sets of other tools.

pub mod js;
pub mod limits;
pub mod template;
pub mod yaml;
