//! The command line of the server.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use opencomputer_usage_core::accounting::Rule;
use opencomputer_usage_core::query::{Parameters, UsageQuery};
use opencomputer_usage_core::window::{Timestamp, Window};
use opencomputer_usage_server::http::{self, App};
use opencomputer_usage_server::store::{self, Reading, Reconciled, Store};
use opencomputer_usage_server::{demo, import, keys, report};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::filter::LevelFilter;
use uuid::Uuid;

/// How long running requests may take to finish once the server is told to stop.
const FAREWELL: Duration = Duration::from_secs(15);

/// Attributes the spend of cloud sandboxes to tags.
#[derive(Parser)]
#[command(name = "opencomputer-usage-server", version)]
struct Cli {
    /// The database: `sqlite://path`, created on first use, or `postgres://user@host/name`
    #[arg(
        long,
        global = true,
        env = "DATABASE_URL",
        hide_env_values = true,
        value_name = "URL",
        default_value = "sqlite://opencomputer-usage.db"
    )]
    database: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Bring the schema up to date, then serve the API
    Serve {
        #[command(flatten)]
        serving: Serving,
    },
    /// Bring the schema up to date
    Migrate,
    /// Read sessions, scale events and tags from JSON Lines: all of them, or none if a line is bad
    Import {
        /// The file, `-` for standard input
        file: PathBuf,
        /// The org they belong to, created if it is unknown
        #[arg(long, value_name = "UUID")]
        org: Uuid,
    },
    /// Manage API keys
    #[command(subcommand)]
    Keys(Keys),
    /// Print the billing rollup: what every total must add up to
    Rollup {
        /// The org
        #[arg(long, value_name = "UUID")]
        org: Uuid,
        /// Start of the window, inclusive: RFC 3339 with an offset, or YYYY-MM-DD
        #[arg(long, value_name = "TIME")]
        from: Timestamp,
        /// End of the window, exclusive
        #[arg(long, value_name = "TIME")]
        to: Timestamp,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        accounting: Accounting,
    },
    /// Close the sessions that a worker left open, and their scale events: for a worker to run when it starts
    ReconcileWorker {
        /// The worker
        worker_id: String,
    },
    /// Serve a made-up fleet from memory
    Demo {
        /// Print a report and exit instead of serving
        #[arg(long)]
        once: bool,
        #[command(flatten)]
        serving: Serving,
    },
}

#[derive(clap::Args)]
struct Serving {
    /// The address to listen on; port 0 takes any free port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8787")]
    listen: String,
    #[command(flatten)]
    accounting: Accounting,
}

#[derive(clap::Args, Clone, Copy)]
struct Accounting {
    /// Where the billed time of an event stops that ended after the window: `v1` or `clipped`
    #[arg(long = "accounting", env = "OPENCOMPUTER_ACCOUNTING", value_name = "RULE", default_value = "v1")]
    rule: Rule,
}

#[derive(Subcommand)]
enum Keys {
    /// Print a new API key, once, as the last word
    Create {
        /// The org it opens, created if it is unknown
        #[arg(long, value_name = "UUID")]
        org: Uuid,
        /// What to call it
        #[arg(long)]
        name: String,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    tracing_subscriber::fmt()
        .compact()
        .with_target(false)
        .with_max_level(LevelFilter::INFO)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr)
        .init();
    match run(cli).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> Result<()> {
    if let Command::Demo { once, serving } = cli.command {
        return run_demo(once, serving).await;
    }
    let store = store::open(&cli.database).await?;
    match cli.command {
        Command::Serve { serving } => serve(store, serving, None).await,
        Command::Migrate => say(&format!("the schema is at version {}", store.schema_version().await?)),
        Command::Import { file, org } => run_import(&*store, &file, org).await,
        Command::Keys(Keys::Create { org, name }) => {
            let key = create_key(&*store, org, &name).await?;
            say(&format!("key `{name}` of org {org}, shown only now: {key}"))
        }
        Command::Rollup { org, from, to, json, accounting } => {
            let reading = Reading { window: Window::new(from, to)?, as_of: store.now().await?, rule: accounting.rule };
            let Some(tiers) = store.rollup(org, reading).await? else { bail!("there is no org {org}") };
            if json {
                say(&format!("{:#}", report::rollup_json(org, reading, &tiers)))
            } else {
                say(report::rollup_text(org, reading, &tiers).trim_end())
            }
        }
        Command::ReconcileWorker { worker_id } => {
            let Reconciled { sessions, scales } = store.reconcile_worker(&worker_id).await?;
            say(&format!("closed {sessions} sessions and {scales} scale events of worker `{worker_id}`"))
        }
        Command::Demo { .. } => Ok(()),
    }
}

/// Prints a result. A reader that has gone away is no reason to panic.
fn say(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).context("cannot write to standard output")
}

async fn create_key(store: &dyn Store, org: Uuid, name: &str) -> Result<String> {
    let (stored, key) = keys::generate(name).context("no random numbers to be had")?;
    store.create_key(org, &stored).await?;
    Ok(key)
}

async fn serve(store: Arc<dyn Store>, serving: Serving, key: Option<String>) -> Result<()> {
    let Serving { listen, accounting } = serving;
    let listener = TcpListener::bind(&listen).await.with_context(|| format!("cannot listen on `{listen}`"))?;
    let mut stop = Stop::new()?;
    say(&format!("listening on http://{}", listener.local_addr()?))?;
    if let Some(key) = key {
        say(&format!("key {key}"))?;
    }
    let (stopping, mut stopped) = tokio::sync::watch::channel(());
    let shutdown = async move {
        stop.wait().await;
        tracing::info!("stopping, running requests are finished first");
        drop(stopping);
    };
    let server = axum::serve(listener, http::router(App { store, rule: accounting.rule }));
    let server = server.with_graceful_shutdown(shutdown);
    let overdue = async {
        // An error is the news: the sender is dropped when the server stops.
        let _ = stopped.changed().await;
        tokio::time::sleep(FAREWELL).await;
    };
    tokio::select! {
        ended = server => ended.context("the server failed"),
        () = overdue => {
            tracing::warn!("some requests did not finish in time");
            Ok(())
        }
    }
}

/// The signals that ask the server to stop.
struct Stop {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Stop {
    fn new() -> io::Result<Self> {
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(Self { terminate, interrupt })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => (),
            _ = self.interrupt.recv() => (),
        }
    }
}

async fn run_import(store: &dyn Store, file: &PathBuf, org: Uuid) -> Result<()> {
    let (input, size): (Box<dyn BufRead + Send>, u64) = if file.as_os_str() == "-" {
        (Box::new(BufReader::new(io::stdin())), 0)
    } else {
        let opened = File::open(file).with_context(|| format!("cannot open `{}`", file.display()))?;
        let size = opened.metadata().map_or(0, |metadata| metadata.len());
        (Box::new(BufReader::new(opened)), size)
    };
    let shown = io::stderr().is_terminal();
    let progress = |lines: u64, bytes: u64| {
        if shown && lines.is_multiple_of(2_000) {
            eprint!("\r{}", progress_bar(lines, bytes, size));
        }
    };
    let imported = import::import(store, org, input, progress).await;
    if shown {
        eprint!("\r\x1b[K");
    }
    say(&imported?.to_string())
}

/// How far an import has come; how far there is to go is not known of standard input.
fn progress_bar(lines: u64, bytes: u64, size: u64) -> String {
    const WIDTH: u64 = 30;
    let Some(done) = (bytes * WIDTH).checked_div(size) else {
        return format!("{lines} lines");
    };
    let bar: String = (0..WIDTH).map(|at| if at < done { '█' } else { '░' }).collect();
    format!("{bar} {} % · {lines} lines", bytes * 100 / size)
}

async fn run_demo(once: bool, serving: Serving) -> Result<()> {
    let store = store::in_memory().await?;
    let imported = demo::load(&*store).await?;
    if once {
        return say(demo_report(&*store, serving.accounting.rule).await?.trim_end());
    }
    tracing::info!("{imported}");
    let key = create_key(&*store, demo::ORG, "demo").await?;
    serve(store, serving, Some(key)).await
}

async fn demo_report(store: &dyn Store, rule: Rule) -> Result<String> {
    let (as_of, to) = (store.now().await?, demo::today(store).await?);
    let query = UsageQuery::parse(&Parameters::decode(format!("groupBy=tag:team&limit=500&to={to}")), Some(as_of))?;
    let plan = query.plan(as_of, rule)?;
    let reading = Reading { window: plan.window(), as_of, rule };
    let (page, _) = store.usage(demo::ORG, &plan).await?;
    let tiers = store.rollup(demo::ORG, reading).await?.unwrap_or_default();
    Ok(report::usage_text("team", &page, reading, &tiers))
}
