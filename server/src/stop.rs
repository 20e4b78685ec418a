//! The signals that ask the server to stop.

use std::io;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};
#[cfg(windows)]
use tokio::signal::windows::{CtrlBreak, CtrlC, ctrl_break, ctrl_c};

/// SIGINT and SIGTERM.
#[cfg(unix)]
pub struct Stop(Signal, Signal);
/// Ctrl-C and Ctrl-Break.
#[cfg(windows)]
pub struct Stop(CtrlC, CtrlBreak);

impl Stop {
    #[cfg(unix)]
    pub fn new() -> io::Result<Self> {
        Ok(Self(signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?))
    }

    #[cfg(windows)]
    pub fn new() -> io::Result<Self> {
        Ok(Self(ctrl_c()?, ctrl_break()?))
    }

    /// Waits for the next signal.
    pub async fn wait(&mut self) {
        tokio::select! {
            _ = self.0.recv() => (),
            _ = self.1.recv() => (),
        }
    }
}
