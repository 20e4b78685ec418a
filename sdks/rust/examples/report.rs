//! Prints the usage of each team in April 2026, then the usage of each sandbox.
//!
//! ```console
//! $ OPENCOMPUTER_API_URL=http://127.0.0.1:8787 OPENCOMPUTER_API_KEY=oc_… cargo run -p opencomputer-usage --example report
//! ```

use opencomputer_usage::{Client, ClientError, UsageOptions};

#[tokio::main]
async fn main() -> Result<(), ClientError> {
    let client = Client::builder().build()?;
    let april = UsageOptions::new().from("2026-04-01").to("2026-05-01");

    let page = client.usage().by_tag("team", &april).await?;
    println!("all teams: {:.0} GB-seconds", page.total.memory_gb_seconds);
    for team in &page.items {
        println!("{}: {:.0} GB-seconds in {} sandboxes", team.tag_value, team.memory_gb_seconds, team.sandbox_count);
    }

    let mut sandboxes = client.usage().walk_by_sandbox(april.limit(200));
    while let Some(sandbox) = sandboxes.next().await? {
        println!("{}: {:.0} GB-seconds", sandbox.sandbox_id, sandbox.memory_gb_seconds);
    }
    Ok(())
}
