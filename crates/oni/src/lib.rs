//! ONI: what crosses a process boundary
