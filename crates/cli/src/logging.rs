//! Where tracing goes: standard error, at levels that `--log-filter` or `RUST_LOG` choose.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;

use crate::Command;

/// Our rooms speak from `info` on, everybody else from `warn` on; Zenoh's runtime warns whenever
/// nobody answers yet, which is no news to an agent that waits.
const DEFAULT_FILTER: &str = "warn,zenoh::net::runtime=error,sedge=info,\
                              sedge_datasets=info,sedge_runtime=info,sedge_transport=info,\
                              sedge_transport_zenoh=info,sedge_viewer=info,\
                              sedge_world_model=info,sedge_world_model_burn=info";

/// What agents say of themselves where there are many in one process, in simulated time: their
/// modes are in the report, and machines' budgets mean nothing there.
const MANY_AGENTS: &str = ",sedge_runtime::agent=error";

/// Installs the one subscriber of the process. A filter that makes no sense is said and left out.
pub(crate) fn install(filter: Option<&str>, command: &Command) {
    let from_environment = std::env::var("RUST_LOG").ok();
    let default = match command {
        Command::Demo(_) | Command::Swarm(_) => format!("{DEFAULT_FILTER}{MANY_AGENTS}"),
        _ => DEFAULT_FILTER.to_owned(),
    };
    let wanted = filter.or(from_environment.as_deref()).unwrap_or(&default);
    let filter = wanted.parse::<EnvFilter>().unwrap_or_else(|error| {
        eprintln!("warning: expected a tracing filter such as `debug`, got {wanted:?}: {error}");
        EnvFilter::new(&default)
    });
    let installed = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .without_time()
        .try_init();
    if let Err(error) = installed {
        eprintln!("warning: no logs, the process already has a subscriber: {error}");
    }
}
