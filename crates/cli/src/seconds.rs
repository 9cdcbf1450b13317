//! Times that people type, in seconds.

/// Reads seconds that a type has limits for.
pub(crate) fn parse_secs<Secs>(text: &str) -> Result<Secs, String>
where
    Secs: TryFrom<f64, Error = String>,
{
    let secs = text.parse::<f64>();
    secs.map_err(|error| format!("expected seconds, got {text:?}: {error}"))
        .and_then(Secs::try_from)
}
