//! Passes the ABI of the target's Python to the crate.

fn main() {
    pyo3_build_config::use_pyo3_cfgs();
}
