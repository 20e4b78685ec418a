//! The command line of the server.

mod stop;

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::builder::{NonEmptyStringValueParser, Resettable};
use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use opencomputer_usage_core::query::{Parameters, UsageQuery};
use opencomputer_usage_core::usage::accounting::Rule;
use opencomputer_usage_core::usage::grid::Grid;
use opencomputer_usage_core::usage::window::{Timestamp, Window};
use opencomputer_usage_server::http::{self, App, Limits, Options, Origin, dashboard, openapi};
use opencomputer_usage_server::log::Log;
use opencomputer_usage_server::store::{self, Reconciled, Store};
use opencomputer_usage_server::{demo, import, keys, probe, report};
use tokio::net::TcpListener;
use tracing_subscriber::filter::LevelFilter;
use uuid::Uuid;

use stop::Stop;

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
    /// The format of the log on standard error
    #[arg(long, global = true, env = "OPENCOMPUTER_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogFormat {
    /// Readable text
    Text,
    /// One JSON object per line
    Json,
}

#[derive(Subcommand)]
enum Command {
    /// Bring the schema up to date, then serve the API and the dashboard
    Serve {
        #[command(flatten)]
        serving: Serving,
    },
    /// Bring the schema up to date
    Migrate,
    /// Import sessions, scale events, tags and samples from JSON Lines; if a line is invalid, nothing is imported
    Import {
        /// The file, `-` for standard input
        file: PathBuf,
        /// The org that owns them, created if it is unknown
        #[arg(long, value_name = "UUID")]
        org: Uuid,
    },
    /// Manage API keys
    #[command(subcommand)]
    Keys(Keys),
    /// Print the billing rollup, which every total adds up to
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
    /// Close the sessions that a worker left open, and their scale events; run it when the worker starts
    ReconcileWorker {
        /// The worker
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        worker_id: String,
    },
    /// Delete old samples of every org
    Prune {
        /// Delete the samples that were taken before this time: RFC 3339 with an offset, or YYYY-MM-DD (UTC midnight)
        #[arg(long, value_name = "TIME")]
        samples_before: Timestamp,
    },
    /// Exit with 0 if a server is ready; for the health check of a container
    Healthcheck {
        /// The address of the server
        #[arg(long, default_value = "127.0.0.1:8787")]
        address: String,
    },
    /// Serve a generated fleet from memory
    Demo {
        /// Print a report and exit instead of serving
        #[arg(long)]
        once: bool,
        /// Import the fleet into the database, print a key and the link for a server at `--listen`, and exit
        #[arg(long, conflicts_with = "once")]
        load: bool,
        #[command(flatten)]
        serving: Serving,
    },
    /// Print the document that is served at `/openapi.json`
    #[command(name = "openapi", hide = true)]
    OpenApi,
}

#[derive(clap::Args)]
struct Serving {
    /// The address to listen on; port 0 takes any free port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8787")]
    listen: String,
    /// An origin whose web pages may call the API, such as `https://app.example.com`, or `*`; comma-separated or
    /// repeated
    #[arg(long, env = "OPENCOMPUTER_CORS_ORIGIN", value_name = "ORIGIN", value_delimiter = ',')]
    cors_origin: Vec<Origin>,
    /// The most requests per second of each key; by default there is no limit
    #[arg(long, env = "OPENCOMPUTER_RATE_LIMIT", value_name = "N")]
    rate_limit: Option<NonZeroU32>,
    /// The most connections; by default 4096, or fewer if the limit of open files is lower
    #[arg(long, env = "OPENCOMPUTER_MAX_CONNECTIONS", value_name = "N")]
    max_connections: Option<NonZeroUsize>,
    /// The most connections from one IPv4 address or IPv6 /64; by default a quarter of all
    #[arg(long, env = "OPENCOMPUTER_MAX_CONNECTIONS_PER_ADDRESS", value_name = "N")]
    max_connections_per_address: Option<NonZeroUsize>,
    #[command(flatten)]
    accounting: Accounting,
}

#[derive(clap::Args, Clone, Copy)]
struct Accounting {
    /// The end of the billed time of an event that ended after the window: the window's end (`clipped`) or the event's
    /// own end (`v1`)
    #[arg(long = "accounting", env = "OPENCOMPUTER_ACCOUNTING", value_name = "RULE", default_value = Rule::default().as_str())]
    rule: Rule,
}

#[derive(Subcommand)]
enum Keys {
    /// Create an API key and print it, once, as the last word
    Create {
        /// The org that owns it, created if it is unknown
        #[arg(long, value_name = "UUID")]
        org: Uuid,
        /// Its name, at most 128 characters
        #[arg(long, value_parser = keys::name)]
        name: String,
        /// The time at which it expires: RFC 3339 with an offset, or YYYY-MM-DD (UTC midnight); by default never
        #[arg(long, value_name = "TIME")]
        expires: Option<Timestamp>,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let Ok(log) = Log::start() else { return ExitCode::FAILURE };
    let code = run_command_line(&log).await;
    log.flush();
    code
}

async fn run_command_line(log: &Log) -> ExitCode {
    let cli = match read_command_line() {
        Ok(cli) => cli,
        Err(told) if !told.use_stderr() => told.exit(),
        Err(fault) => {
            complain(log, &fault_text(&fault));
            return ExitCode::from(2);
        }
    };
    start_log(log, cli.log_format);
    match run(cli).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(log, &format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn read_command_line() -> Result<Cli, clap::Error> {
    let mut command = without_empty_variables(Cli::command());
    let mut matches = command.try_get_matches_from_mut(std::env::args_os())?;
    Cli::from_arg_matches_mut(&mut matches).map_err(|fault| fault.format(&mut command))
}

/// Treats a variable that is set but empty as not set.
fn without_empty_variables(command: clap::Command) -> clap::Command {
    let is_empty = |arg: &clap::Arg| arg.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty());
    let command = command.mut_args(|arg| if is_empty(&arg) { arg.env(Resettable::Reset) } else { arg });
    command.mut_subcommands(without_empty_variables)
}

/// Writes a fault as one line, even if it quotes line breaks.
fn complain(log: &Log, text: &str) {
    let parts = text.split(char::is_control).map(str::trim).filter(|part| !part.is_empty());
    log.line(&parts.collect::<Vec<_>>().join(" "));
}

/// Returns the fault of a command line without clap's hints.
fn fault_text(fault: &clap::Error) -> String {
    // clap separates the hints in one of these ways, depending on whether a variable sets an option.
    if matches!(fault.kind(), ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand) {
        return "error: a command is missing, `--help` lists them".to_owned();
    }
    let text = fault.render().to_string();
    let hints = ["\n\nFor more information", "\n\nUsage:", "\n\n  tip:"];
    hints.iter().fold(&*text, |text, hint| text.rsplit_once(hint).map_or(text, |(before, _)| before)).to_owned()
}

fn start_log(log: &Log, format: LogFormat) {
    let log = tracing_subscriber::fmt().with_target(false).with_max_level(LevelFilter::INFO).with_writer(log.clone());
    match format {
        LogFormat::Text => log.compact().with_ansi(io::stderr().is_terminal()).init(),
        LogFormat::Json => log.json().flatten_event(true).with_span_list(false).init(),
    }
    // The default hook writes to standard error directly and could block.
    std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "panicked")));
}

async fn run(cli: Cli) -> Result<()> {
    match cli.command {
        Command::Demo { once, load: false, serving } => return run_demo(once, serving).await,
        Command::Healthcheck { address } => return probe::check(&address),
        Command::OpenApi => return say(openapi::document().trim_end()),
        _ => (),
    }
    let store = store::open(&cli.database).await?;
    let done = run_on(&store, cli.command).await;
    store.close().await;
    done
}

/// Runs the commands that need a database.
async fn run_on(store: &Arc<dyn Store>, command: Command) -> Result<()> {
    match command {
        Command::Serve { serving } => serve(store.clone(), serving, None).await,
        Command::Migrate => say(&format!("the schema is at version {}", store.schema_version().await?)),
        Command::Import { file, org } => run_import(&**store, &file, org).await,
        Command::Keys(Keys::Create { org, name, expires }) => {
            if let Some(expires) = expires
                && expires <= store.now().await?
            {
                bail!("the key would already have expired, at {expires}");
            }
            let (mut stored, key) = keys::generate(&name).context("cannot generate random numbers")?;
            stored.expires_at = expires;
            let shown = format!("key `{name}` of org {org}, shown only now: {key}");
            Ok(store.create_key_once_shown(org, &stored, &mut || write_line(&shown)).await?)
        }
        Command::Rollup { org, from, to, json, accounting } => {
            let (window, as_of) = (Window::new(from, to)?, store.now().await?);
            let grid = Grid { window, as_of, rule: accounting.rule, buckets: None };
            let Some(tiers) = store.rollup(org, &grid).await? else { bail!("there is no org {org}") };
            if json {
                say(&format!("{:#}", report::rollup_json(org, &grid, &tiers)))
            } else {
                say(report::rollup_text(org, &grid, &tiers).trim_end())
            }
        }
        Command::ReconcileWorker { worker_id } => {
            let Reconciled { sessions, scales } = store.reconcile_worker(&worker_id).await?;
            say(&format!("closed {sessions} sessions and {scales} scale events of worker `{worker_id}`"))
        }
        Command::Prune { samples_before } => {
            let deleted = store.prune_samples(samples_before).await?;
            say(&format!("deleted {deleted} samples from before {samples_before}"))
        }
        Command::Demo { serving, .. } => load_demo(&**store, &serving.listen).await,
        Command::Healthcheck { .. } | Command::OpenApi => Ok(()),
    }
}

/// Prints a result. Unlike `println!`, it does not panic without a reader.
fn say(text: &str) -> Result<()> {
    write_line(text).context("cannot write to standard output")
}

fn write_line(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush())
}

async fn serve(store: Arc<dyn Store>, serving: Serving, key: Option<String>) -> Result<()> {
    let Serving { listen, cors_origin, rate_limit, max_connections, max_connections_per_address, accounting } = serving;
    let [total, per_address] = [max_connections, max_connections_per_address].map(|limit| limit.map(NonZeroUsize::get));
    let (connections, open_files) = Limits::of_process(total, per_address);
    let listener = TcpListener::bind(&listen).await.with_context(|| format!("cannot listen on `{listen}`"))?;
    let Limits { total, per_address } = connections;
    tracing::info!(open_files, max_connections = total, max_connections_per_address = per_address, "limits");
    let (mut stop, mut at_once) = (Stop::new()?, Stop::new()?);
    let url = format!("http://{}", listener.local_addr()?);
    say(&format!("listening on {url}"))?;
    if let Some(key) = key {
        say(&access(&url, &key))?;
    }
    if dashboard::is_embedded() {
        tracing::info!("the dashboard is at {url}/");
    } else {
        tracing::info!("this server was built without the dashboard");
    }
    let options = Options { cors_origins: cors_origin, rate_limit, connections };
    let serving = http::serve(listener, App { store, rule: accounting.rule }, &options, stop.wait());
    let twice = async {
        at_once.wait().await;
        at_once.wait().await;
    };
    tokio::select! {
        () = serving => Ok(()),
        () = twice => bail!("stopped by a second signal: pending requests were aborted"),
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
            let _ = write!(io::stderr(), "\r{}", progress_bar(lines, bytes, size));
        }
    };
    let imported = import::import(store, org, input, progress).await;
    if shown {
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
    say(&imported?.to_string())
}

/// Formats the progress of an import. The size of standard input is not known.
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
    let (stored, key) = keys::generate("demo").context("cannot generate random numbers")?;
    store.create_key(demo::ORG, &stored).await?;
    serve(store, serving, Some(key)).await
}

async fn load_demo(store: &dyn Store, address: &str) -> Result<()> {
    say(&demo::load(store).await?.to_string())?;
    let (stored, key) = keys::generate("demo").context("cannot generate random numbers")?;
    let shown = access(&format!("http://{address}"), &key);
    Ok(store.create_key_once_shown(demo::ORG, &stored, &mut || write_line(&shown)).await?)
}

/// Formats a key and the link that opens the dashboard with it. A browser does not send the fragment, and the page
/// removes it from the address bar.
fn access(url: &str, key: &str) -> String {
    let link = if dashboard::is_embedded() { format!("\ndashboard {url}/#key={key}") } else { String::new() };
    format!("key {key}{link}")
}

async fn demo_report(store: &dyn Store, rule: Rule) -> Result<String> {
    let (as_of, to) = (store.now().await?, demo::today(store).await?);
    let from = Timestamp::nearest(to.micros() - demo::HISTORY);
    let query = format!("groupBy=tag:team&interval=1w&limit=500&from={from}&to={to}");
    let query = UsageQuery::parse(&Parameters::decode(query), Some(as_of))?;
    let plan = query.plan(as_of, rule)?;
    let (page, _) = store.usage(demo::ORG, &plan).await?;
    let tiers = store.rollup(demo::ORG, &plan.grid).await?.unwrap_or_default();
    let series = report::series_text("team", &page, &plan.grid);
    Ok(format!("{}\n{series}", report::usage_text("team", &page, &plan.grid, &tiers)))
}
