//! Tags one sandbox and prints its tags.
//!
//! ```console
//! $ OPENCOMPUTER_API_URL=http://127.0.0.1:8787 OPENCOMPUTER_API_KEY=oc_… \
//!       cargo run -p opencomputer-usage --example tag -- sb-1 team payments
//! ```

use std::env;
use std::process::ExitCode;

use opencomputer_usage::{Client, ClientError, Kind};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [sandbox, key, value] = arguments.as_slice() else {
        eprintln!("usage: tag SANDBOX KEY VALUE");
        return ExitCode::FAILURE;
    };
    match tag(sandbox, key, value).await {
        Ok(()) => return ExitCode::SUCCESS,
        Err(error) if error.kind == Kind::TagValidation => {
            error.violations.iter().for_each(|violation| eprintln!("{}", violation.message));
        }
        Err(error) => eprintln!("{error}"),
    }
    ExitCode::FAILURE
}

async fn tag(sandbox: &str, key: &str, value: &str) -> Result<(), ClientError> {
    let client = Client::builder().build()?;
    let written = client
        .tags()
        .update(sandbox, |mut tags| {
            tags.insert(key.to_owned(), value.to_owned());
            tags
        })
        .await?;
    for (key, value) in written.tags.iter() {
        println!("{key}={value}");
    }
    Ok(())
}
