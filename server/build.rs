//! Embeds the files of the dashboard, as a list of `File` for `src/http/dashboard.rs`. Without them, the server builds
//! without the dashboard.

use std::fmt::Write;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// What `make dashboard` builds. The folder itself always exists, so that cargo notices when files appear in it.
const DIST: &str = "../dashboard/dist";

/// The compressed forms of a file, in order of preference: the name of the coding and the ending of the file.
const CODINGS: [(&str, &str); 2] = [("br", "br"), ("gzip", "gz")];

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed={DIST}");
    let dist = Path::new(&variable("CARGO_MANIFEST_DIR")?).join(DIST);
    let mut files = Vec::new();
    if dist.join("index.html").exists() {
        files.push("index.html".to_owned());
        for entry in fs::read_dir(dist.join("assets"))? {
            let name = entry?.file_name().into_string().map_err(|_| fault("a file name is not text"))?;
            if !CODINGS.iter().any(|(_, ending)| has_ending(&name, ending)) {
                files.push(format!("assets/{name}"));
            }
        }
        files.sort_unstable();
    } else {
        println!("cargo::warning=this server is built without the dashboard; `make dashboard` builds it");
    }
    let mut list = String::from("&[\n");
    for file in &files {
        let plain = form(&dist.join(file))?;
        let mut compressed = String::new();
        for (coding, ending) in CODINGS {
            let path = dist.join(format!("{file}.{ending}"));
            if path.exists() {
                let _ = write!(compressed, "({coding:?}, {}), ", form(&path)?);
            }
        }
        let media_type = media_type(file)?;
        let _ = writeln!(
            list,
            "File {{ path: {file:?}, media_type: {media_type:?}, plain: {plain}, compressed: &[{compressed}] }},"
        );
    }
    list.push(']');
    fs::write(PathBuf::from(variable("OUT_DIR")?).join("dashboard.rs"), list)
}

/// Returns the expression of a file's content and its entity tag.
fn form(path: &Path) -> io::Result<String> {
    let path = path.canonicalize()?;
    let mut hasher = DefaultHasher::new();
    fs::read(&path)?.hash(&mut hasher);
    let etag = format!("\"{:016x}\"", hasher.finish());
    let path = path.to_str().ok_or_else(|| fault("the path of the dashboard is not text"))?;
    Ok(format!("Form {{ etag: {etag:?}, bytes: include_bytes!({path:?}) }}"))
}

fn media_type(file: &str) -> io::Result<&'static str> {
    let types = [
        ("css", "text/css; charset=utf-8"),
        ("html", "text/html; charset=utf-8"),
        ("js", "text/javascript; charset=utf-8"),
        ("svg", "image/svg+xml"),
        ("wasm", "application/wasm"),
    ];
    let found = types.iter().find(|(ending, _)| has_ending(file, ending));
    found.map(|(_, media_type)| *media_type).ok_or_else(|| fault(&format!("the media type of {file} is not known")))
}

fn has_ending(file: &str, ending: &str) -> bool {
    Path::new(file).extension().is_some_and(|found| found == ending)
}

fn variable(name: &str) -> io::Result<String> {
    env::var(name).map_err(io::Error::other)
}

fn fault(message: &str) -> io::Error {
    io::Error::other(message.to_owned())
}
