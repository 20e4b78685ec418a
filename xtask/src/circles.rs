//! Finds files of a crate that import each other in a circle, through any number of files between them.

use anyhow::{Context as _, Result, bail};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};
use syn::{
    Attribute, Item, ItemMod, ItemUse, UseTree, Visibility,
    visit::{self, Visit},
};

/// The source folders of the checked crates.
const CRATES: [&str; 8] = [
    "core/src",
    "sdks/rust/src",
    "bindings-wasm/src",
    "bindings-python/src",
    "server/src",
    "tests/platform/src",
    "benches/server/src",
    "xtask/src",
];

/// Fails if any crate has a circle, and lists all of them.
pub fn run(root: &Path) -> Result<()> {
    let mut found = Vec::new();
    for folder in CRATES {
        let modules = Modules::read(&root.join(folder)).with_context(|| format!("cannot read {folder}"))?;
        found.extend(modules.circles().into_iter().map(|circle| format!("  {folder}: {}", circle.join(" -> "))));
    }
    if found.is_empty() {
        println!("circular imports: none in {} crates", CRATES.len());
        return Ok(());
    }
    bail!("files import each other in a circle:\n{}", found.join("\n"))
}

/// A path of names below the root of a crate.
type Names = Vec<String>;

/// The modules of a crate that have a file of their own.
struct Modules(BTreeMap<Names, Module>);

#[derive(Default)]
struct Module {
    /// The paths in the file that belong to the crate.
    imports: BTreeSet<Names>,
    /// The paths of the names that the file re-exports.
    exports: BTreeMap<String, Names>,
}

impl Modules {
    fn read(folder: &Path) -> Result<Self> {
        let mut files = Vec::new();
        list(folder, &mut files)?;
        let mut modules = BTreeMap::new();
        for file in files {
            let name = module_name(file.strip_prefix(folder)?);
            let parsed = syn::parse_file(&fs::read_to_string(&file)?).with_context(|| file.display().to_string())?;
            let mut reader = Reader { name: name.clone(), module: Module::default() };
            reader.visit_file(&parsed);
            modules.insert(name, reader.module);
        }
        Ok(Self(modules))
    }

    /// Resolves a path, through re-exports, to the module that defines it and has a file of its own.
    fn home(&self, path: &[String]) -> Option<Names> {
        let mut path = path.to_vec();
        // A longer chain of re-exports would be a circle, which the compiler rejects.
        for _ in 0..16 {
            let ways = (0..=path.len()).rev().filter_map(|depth| path.split_at_checked(depth));
            let mut known = ways.filter_map(|(name, rest)| Some((name, rest, self.0.get(name)?)));
            let (name, rest, module) = known.next()?;
            let exported = rest.split_first().and_then(|(first, deeper)| Some((module.exports.get(first)?, deeper)));
            let Some((target, deeper)) = exported else {
                return Some(name.to_vec());
            };
            path = [target.as_slice(), deeper].concat();
        }
        None
    }

    fn circles(&self) -> Vec<Vec<String>> {
        let edges: BTreeMap<_, BTreeSet<_>> = self
            .0
            .iter()
            .map(|(name, module)| {
                let homes = module.imports.iter().filter_map(|path| self.home(path));
                (name.clone(), homes.filter(|home| home != name).collect())
            })
            .collect();
        let mut circles = BTreeSet::new();
        for start in edges.keys() {
            if let Some(circle) = shortest_circle(start, &edges)
                && circle.iter().min() == Some(start)
            {
                circles.insert(circle);
            }
        }
        let shown = |name: &Names| if name.is_empty() { "crate".to_owned() } else { name.join("::") };
        circles.iter().map(|circle| circle.iter().chain(circle.first()).map(shown).collect()).collect()
    }
}

/// Returns the shortest way from a module back to itself.
fn shortest_circle(start: &Names, edges: &BTreeMap<Names, BTreeSet<Names>>) -> Option<Vec<Names>> {
    let mut ways = vec![vec![start.clone()]];
    let mut seen = BTreeSet::new();
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            for next in way.last().and_then(|last| edges.get(last)).into_iter().flatten() {
                if next == start {
                    return Some(way);
                }
                if seen.insert(next.clone()) {
                    longer.push([way.clone(), vec![next.clone()]].concat());
                }
            }
        }
        ways = longer;
    }
    None
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            list(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// Returns the module of a file: `a::b` for `a/b.rs` and `a/b/mod.rs`, no names for the root.
fn module_name(file: &Path) -> Names {
    let file = file.with_extension("");
    let mut names: Names = file.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if names.last().is_some_and(|last| last == "mod") || ["lib", "main"].iter().any(|root| names == [*root]) {
        names.pop();
    }
    names
}

struct Reader {
    name: Names,
    module: Module,
}

impl Reader {
    /// Returns the path below the crate for a path in this file that starts with `crate`, `self` or `super`.
    fn absolute(&self, path: &[String]) -> Option<Names> {
        let mut base = match path.first()?.as_str() {
            "crate" => Vec::new(),
            "self" | "super" => self.name.clone(),
            _ => return None,
        };
        let mut rest = path;
        while let [first, others @ ..] = rest {
            match first.as_str() {
                "crate" | "self" => {}
                "super" => {
                    base.pop();
                }
                _ => break,
            }
            rest = others;
        }
        base.extend(rest.iter().cloned());
        Some(base)
    }

    fn add(&mut self, path: &[String]) -> Option<Names> {
        let path = self.absolute(path)?;
        self.module.imports.insert(path.clone());
        Some(path)
    }

    fn use_tree(&mut self, prefix: &Names, tree: &UseTree, exported: bool) {
        match tree {
            UseTree::Path(path) => {
                let prefix = [prefix.as_slice(), &[path.ident.to_string()]].concat();
                self.use_tree(&prefix, &path.tree, exported);
            }
            UseTree::Name(name) => self.used(prefix, &name.ident.to_string(), &name.ident.to_string(), exported),
            UseTree::Rename(name) => self.used(prefix, &name.ident.to_string(), &name.rename.to_string(), exported),
            UseTree::Glob(_) => {
                self.add(prefix);
            }
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.use_tree(prefix, tree, exported)),
        }
    }

    fn used(&mut self, prefix: &Names, name: &str, known_as: &str, exported: bool) {
        let path = if name == "self" { prefix.clone() } else { [prefix.as_slice(), &[name.to_owned()]].concat() };
        // Without `crate`, `self` or `super`, a path starts at a child module or belongs to another crate.
        let absolute = self.add(&path).or_else(|| self.add(&[vec!["self".to_owned()], path.clone()].concat()));
        if let (true, Some(path)) = (exported, absolute) {
            self.module.exports.insert(known_as.to_owned(), path);
        }
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = match item {
            Item::Mod(ItemMod { attrs, .. }) | Item::Use(ItemUse { attrs, .. }) => attrs.as_slice(),
            _ => &[],
        };
        if !attributes.iter().any(is_for_tests) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let exported = !matches!(item.vis, Visibility::Inherited);
        self.use_tree(&Vec::new(), &item.tree, exported);
    }

    fn visit_visibility(&mut self, _: &'ast Visibility) {
        // `pub(crate)` names a module, but imports nothing from it.
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Names = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.add(&names);
        visit::visit_path(self, path);
    }
}

fn is_for_tests(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circles(files: &[(&str, &str)]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Modules::read(folder.path()).unwrap().circles().iter().map(|circle| circle.join(" -> ")).collect()
    }

    #[test]
    fn finds_two_files_that_import_each_other() {
        let files = [
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "use crate::b::B;"),
            ("b.rs", "pub(crate) fn f() { super::a::f() }"),
        ];
        assert_eq!(circles(&files), ["a -> b -> a"]);
    }

    #[test]
    fn follows_exports_to_the_file_that_defines_a_name() {
        let files = [
            ("x/mod.rs", "mod a; mod b; pub use a::A; pub use self::b::B;"),
            ("x/a.rs", "use super::B;"),
            ("x/b.rs", "use std::fmt; pub struct B;"),
        ];
        assert_eq!(circles(&files), [""; 0]);
        let files = [files[0], files[1], ("x/b.rs", "use super::{A, b};")];
        assert_eq!(circles(&files), ["x::a -> x::b -> x::a"]);
    }

    #[test]
    fn leaves_tests_out() {
        let files = [("a.rs", "use crate::b::B;"), ("b.rs", "#[cfg(test)] mod tests { use crate::a::A; }")];
        assert_eq!(circles(&files), [""; 0]);
    }
}
