//! The house rules as code: what `tidy`, `architecture` and `readme` check.
//!
//! A rule is a function from files to [`Finding`]s. Each is run over this repository and, in the
//! same test target, over a small bad example that it must find. Nothing here is used by the
//! product, and it never changes a file.

pub mod finding;
pub mod floors;
pub mod lock_graph;
pub mod readme_commands;
pub mod rules;
pub mod source_tree;

pub use finding::{Finding, assert_none};
pub use source_tree::{SourceFile, SourceTree, repository_root};
