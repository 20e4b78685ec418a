//! Serves one variant of the platform on an address, until it is stopped.

use std::io::Write as _;

use clap::Parser;
use opencomputer_usage_platform::{KEY, Variant, router};
use tokio::net::TcpListener;

/// A small server that imitates the platform.
#[derive(Parser)]
struct Options {
    /// The server to imitate.
    #[arg(long)]
    variant: Variant,
    /// The address to listen on; port 0 picks a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: String,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let listener = TcpListener::bind(&options.listen).await?;
    let mut output = std::io::stdout();
    writeln!(output, "listening on http://{}\nkey {KEY}", listener.local_addr()?)?;
    output.flush()?;
    axum::serve(listener, router(options.variant)).await?;
    Ok(())
}
