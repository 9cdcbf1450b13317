//! The pool of shared memory that large payloads travel through.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use sedge_oni::limits::ALIGNMENT_BYTES;
use zenoh::Wait as _;
use zenoh::shm::{
    AllocAlignment, GarbageCollect, OwnedShmBuf as _, PosixShmProviderBackend, ShmProvider,
    ShmProviderBuilder, ZShmMut,
};

use crate::SharedMemory;

/// Memory that other processes of this machine can read.
///
/// A piece of it is free again when nobody holds it any more, here and in other processes. Pieces
/// are never taken back from those who hold them: where there is none left, payloads go over the
/// links.
pub(crate) struct Pool {
    provider: ShmProvider<PosixShmProviderBackend>,
    threshold_bytes: usize,
    /// Transports that can read it.
    n_transports: AtomicI64,
    pub(crate) lent: AtomicU64,
    pub(crate) exhausted: AtomicU64,
}

impl Pool {
    /// Reserves the memory; what processes that were killed left behind is freed first.
    pub(crate) fn new(config: &SharedMemory) -> zenoh::Result<Self> {
        zenoh::shm::cleanup_orphaned_shm_segments();
        let n_bytes = config.pool_bytes.next_multiple_of(ALIGNMENT_BYTES);
        let provider = ShmProviderBuilder::default_backend((n_bytes, alignment())).wait()?;
        Ok(Self {
            provider,
            threshold_bytes: config.threshold_bytes,
            n_transports: AtomicI64::new(0),
            lent: AtomicU64::new(0),
            exhausted: AtomicU64::new(0),
        })
    }

    /// Whether a payload of this size goes into it, where somebody can read it there.
    pub(crate) fn wants(&self, n_bytes: usize) -> bool {
        n_bytes >= self.threshold_bytes && self.n_transports.load(Ordering::Relaxed) > 0
    }

    /// Takes note of a transport that came (1) or went (-1).
    pub(crate) fn count_transport(&self, change: i64) {
        self.n_transports.fetch_add(change, Ordering::Relaxed);
    }

    /// The session was opened anew.
    pub(crate) fn forget_transports(&self) {
        self.n_transports.store(0, Ordering::Relaxed);
    }

    /// A piece of this many bytes, aligned as tensors are; `None` where there is none, which is
    /// counted.
    pub(crate) fn take(&self, n_bytes: usize) -> Option<ZShmMut> {
        let rounded = n_bytes.next_multiple_of(ALIGNMENT_BYTES);
        let piece = self
            .provider
            .alloc((rounded, alignment()))
            .with_policy::<GarbageCollect>()
            .wait();
        let exact = std::num::NonZeroUsize::new(n_bytes);
        let (Ok(mut piece), Some(exact)) = (piece, exact) else {
            self.exhausted.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        piece.try_resize(exact)?;
        self.lent.fetch_add(1, Ordering::Relaxed);
        Some(piece)
    }
}

fn alignment() -> AllocAlignment {
    AllocAlignment::new(ALIGNMENT_BYTES.trailing_zeros() as u8)
        .expect("64 is a power of two that a usize holds")
}
