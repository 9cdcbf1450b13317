//! The world model's networks, training and checkpoints on burn
