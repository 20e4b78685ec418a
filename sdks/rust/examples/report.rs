//! Prints the usage by the values of a tag, with the share of each.
//!
//! ```console
//! $ OPENCOMPUTER_API_URL=http://127.0.0.1:8787 OPENCOMPUTER_API_KEY=oc_… \
//!       cargo run -p opencomputer-usage --example report -- team 2026-10-01 2026-11-01 Europe/Berlin
//! ```

use std::env;
use std::process::ExitCode;

use opencomputer_usage::{Client, ClientError, UsageOptions};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [key, from, to, time_zone] = arguments.as_slice() else {
        eprintln!("usage: report KEY FROM TO TIME_ZONE");
        return ExitCode::FAILURE;
    };
    let window = UsageOptions::new().from(from).to(to).time_zone(time_zone);
    match report(key, window).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn report(key: &str, options: UsageOptions) -> Result<(), ClientError> {
    let client = Client::builder().build()?;
    let mut pages = client.usage().walk_by_tag(key, options.limit(500));
    let mut rest = None;
    while let Some(page) = pages.next_page().await? {
        let total = page.total.memory_gb_seconds;
        for item in page.items {
            print(&item.tag_value, item.memory_gb_seconds, total);
        }
        // The same on every page.
        rest = Some((page.untagged, total));
    }
    if let Some((untagged, total)) = rest {
        if let Some(untagged) = untagged {
            print("(untagged)", untagged.memory_gb_seconds, total);
        }
        print("total", total, total);
    }
    Ok(())
}

/// Prints an amount with its share of the total.
fn print(name: &str, gb_seconds: f64, total: f64) {
    let percent = if total > 0.0 { 100.0 * gb_seconds / total } else { 0.0 };
    println!("{gb_seconds:>16.0} GB-seconds {percent:>6.1} %  {name}");
}
