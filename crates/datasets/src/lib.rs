//! Other people's logs as episodes and as ONI streams
