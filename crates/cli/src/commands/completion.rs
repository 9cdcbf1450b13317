//! `sedge completion`.

use std::io::Write;

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

/// What `sedge completion` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  sedge completion bash > ~/.local/share/bash-completion/completions/sedge")]
pub struct CompletionArgs {
    /// The shell to complete for.
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Prints the script.
///
/// # Errors
/// When it cannot be written.
pub fn run(args: &CompletionArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut crate::Cli::command(), "sedge", &mut script);
    Ok(out.write_all(&script)?)
}
