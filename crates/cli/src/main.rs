//! The `sedge` program: everything is in the library beside it.

use std::process::ExitCode;

fn main() -> ExitCode {
    sedge::main_with(std::env::args_os())
}
