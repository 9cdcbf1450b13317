//! Where networks run: named devices, none chosen silently.

use std::fmt;
use std::str::FromStr;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

/// A kind of device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceKind {
    /// The CPU, by burn's flex backend; always there.
    Flex,
    /// A GPU by Vulkan; needs the cargo feature `vulkan`.
    Vulkan,
    /// An NVIDIA GPU by CUDA; needs the cargo feature `cuda`.
    Cuda,
}

impl DeviceKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Flex, Self::Vulkan, Self::Cuda];

    /// Whether this build can use it at all.
    pub fn is_built(self) -> bool {
        match self {
            Self::Flex => true,
            Self::Vulkan => cfg!(feature = "vulkan"),
            Self::Cuda => cfg!(feature = "cuda"),
        }
    }

    /// How many of them this machine has (0 where the build cannot use them).
    pub fn count(self) -> usize {
        match self {
            Self::Flex => 1,
            #[cfg(feature = "vulkan")]
            Self::Vulkan => enumerated(burn::tensor::DeviceType::Vulkan),
            #[cfg(feature = "cuda")]
            Self::Cuda => enumerated(burn::tensor::DeviceType::Cuda),
            #[cfg(not(all(feature = "vulkan", feature = "cuda")))]
            _ => 0,
        }
    }

    /// The device, ready to compute.
    ///
    /// # Errors
    /// [`DeviceError`] when this build cannot use it or this machine has none.
    pub fn open(self) -> Result<Device, DeviceError> {
        if !self.is_built() {
            return Err(DeviceError::NotBuilt { kind: self });
        }
        if self.count() == 0 {
            return Err(DeviceError::Absent { kind: self });
        }
        Ok(match self {
            Self::Flex => Device::flex(),
            #[cfg(feature = "vulkan")]
            Self::Vulkan => Device::vulkan(burn::tensor::DeviceKind::DefaultDevice),
            #[cfg(feature = "cuda")]
            Self::Cuda => Device::cuda(0),
            #[cfg(not(all(feature = "vulkan", feature = "cuda")))]
            kind => return Err(DeviceError::NotBuilt { kind }),
        })
    }
}

/// How many devices of a type there are; a driver that panics while it looks counts as none.
#[cfg(any(feature = "vulkan", feature = "cuda"))]
fn enumerated(device_type: burn::tensor::DeviceType) -> usize {
    std::panic::catch_unwind(|| Device::enumerate(device_type).into_iter().count()).unwrap_or(0)
}

impl fmt::Display for DeviceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flex => "flex",
            Self::Vulkan => "vulkan",
            Self::Cuda => "cuda",
        })
    }
}

impl FromStr for DeviceKind {
    type Err = DeviceError;
    fn from_str(name: &str) -> Result<Self, DeviceError> {
        let known = Self::ALL.into_iter().find(|kind| kind.to_string() == name);
        known.ok_or_else(|| DeviceError::Unknown {
            got: name.to_owned(),
        })
    }
}

/// Why a device cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// No such kind.
    #[error("expected a device of: flex, vulkan, cuda; got {got:?}")]
    Unknown {
        /// What came.
        got: String,
    },
    /// Left out of this build.
    #[error("this build has no {kind} device; build with `--features {kind}`")]
    NotBuilt {
        /// Which.
        kind: DeviceKind,
    },
    /// Not on this machine.
    #[error("expected a {kind} device on this machine, found none")]
    Absent {
        /// Which.
        kind: DeviceKind,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_device_is_an_error_and_never_another_device() {
        assert!(DeviceKind::Flex.open().is_ok());
        for kind in [DeviceKind::Vulkan, DeviceKind::Cuda] {
            if !kind.is_built() {
                assert_eq!(kind.open().err(), Some(DeviceError::NotBuilt { kind }));
            }
        }
        assert!("gpu".parse::<DeviceKind>().is_err());
    }
}
