//! How messages reach a node: traits, QoS classes and the in-process network
