//! A clock that a test can move while processes use it.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// The clock of the processes that have its variables.
pub struct Clock {
    directory: TempDir,
}

impl Clock {
    /// Compiles the library that moves the clock.
    pub fn new() -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::Builder::new().prefix("clock.").tempdir_in("/tmp").unwrap();
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let clock = Self { directory };
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/clock.c");
        let mut compile = Command::new("cc");
        compile.args(["-shared", "-fPIC", "-O1", "-o"]).arg(clock.path("clock.so")).arg(source);
        assert!(compile.status().unwrap().success());
        clock.set(0);
        clock
    }

    fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join(file)
    }

    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let path = |file| self.path(file).display().to_string();
        vec![("LD_PRELOAD", path("clock.so")), ("CLOCK_STEP", path("step"))]
    }

    /// Sets the distance to the system's clock, in seconds.
    pub fn set(&self, seconds: i64) {
        // Renamed, so that nobody reads half a number.
        std::fs::write(self.path("next"), seconds.to_string()).unwrap();
        std::fs::rename(self.path("next"), self.path("step")).unwrap();
    }
}
