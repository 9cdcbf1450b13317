//! Ctrl-c and SIGTERM: the first asks for an orderly end, the second ends at once.

use std::sync::OnceLock;

use sedge_runtime::Shutdown;

/// What a second ctrl-c exits with: 128 + SIGINT, as shells do.
const EXIT_INTERRUPTED: i32 = 130;

/// The process's one shutdown, requested by ctrl-c or SIGTERM; the first call installs the signal
/// handler.
pub(crate) fn shutdown_of_process() -> Shutdown {
    static PROCESS: OnceLock<Shutdown> = OnceLock::new();
    PROCESS.get_or_init(install).clone()
}

fn install() -> Shutdown {
    let shutdown = Shutdown::new();
    let asked = shutdown.clone();
    let installed = ctrlc::set_handler(move || {
        if asked.is_requested() {
            std::process::exit(EXIT_INTERRUPTED);
        }
        asked.request();
    });
    if let Err(error) = installed {
        tracing::warn!(%error, "ctrl-c will end the process without saving");
    }
    shutdown
}
