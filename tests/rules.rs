//! The house rules that clippy does not know.

mod data_files;
mod explanations;
mod manifests;
mod naming;
mod parsing;
mod sizes;
mod test_habits;
mod words;

pub use data_files::{N_BYTES_MAX, foreign_data, large_files};
pub use explanations::{code_map, explained_crates, explained_folders};
pub use manifests::{crate_manifests, licences, lint_thresholds, unsafe_code};
pub use naming::{banned_names, mod_files};
pub use parsing::{json_parses, toml_parses};
pub use sizes::{N_LINES_MAX, file_lengths, line_widths};
pub use test_habits::{ignored_tests, sleeping_tests};
pub use words::{anonymous_reminders, machine_paths, outside_data};
