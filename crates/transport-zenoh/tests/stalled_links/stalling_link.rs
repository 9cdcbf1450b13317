//! A relay between two sockets that can be stopped: nobody reads then, and nothing is closed.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

/// Whether bytes may pass.
#[derive(Default)]
struct Gate {
    is_shut: Mutex<bool>,
    changed: Condvar,
}

impl Gate {
    fn pass(&self) {
        let is_shut = self.is_shut.lock().unwrap();
        drop(
            self.changed
                .wait_while(is_shut, |is_shut| *is_shut)
                .unwrap(),
        );
    }

    fn shut(&self) {
        *self.is_shut.lock().unwrap() = true;
    }

    fn open(&self) {
        *self.is_shut.lock().unwrap() = false;
        self.changed.notify_all();
    }
}

/// Relays each connection to `locator` for as long as both ends are open.
pub(crate) struct StallingLink {
    address: SocketAddr,
    gate: Arc<Gate>,
}

impl StallingLink {
    pub(crate) fn to(locator: &str) -> Self {
        let target: SocketAddr = locator.strip_prefix("tcp/").unwrap().parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let gate = Arc::new(Gate::default());
        let of_thread = Arc::clone(&gate);
        // Ends with the process: nobody closes the listener.
        std::thread::spawn(move || {
            for near in listener.incoming() {
                // Nobody may be there for a while: then the caller finds nobody either.
                let (Ok(near), Ok(far)) = (near, TcpStream::connect(target)) else {
                    continue;
                };
                pump(
                    near.try_clone().unwrap(),
                    far.try_clone().unwrap(),
                    &of_thread,
                );
                pump(far, near, &of_thread);
            }
        });
        Self { address, gate }
    }

    pub(crate) fn locator(&self) -> String {
        format!("tcp/{}", self.address)
    }

    pub(crate) fn stall(&self) {
        self.gate.shut();
    }

    pub(crate) fn go_on(&self) {
        self.gate.open();
    }
}

impl Drop for StallingLink {
    fn drop(&mut self) {
        self.go_on();
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream, gate: &Arc<Gate>) {
    let gate = Arc::clone(gate);
    std::thread::spawn(move || {
        let mut bytes = vec![0; 64 * 1024];
        while let Ok(n_bytes @ 1..) = from.read(&mut bytes) {
            gate.pass();
            if to.write_all(&bytes[..n_bytes]).is_err() {
                break;
            }
        }
        // The other direction has to end too; it may have done so already.
        drop((from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both)));
    });
}
