//! Which module may import which, and which crates stay behind which fence.

use super::source::{self, Source};

/// The levels, lowest first: a module imports only from lower ones, so that modules of one level
/// never import each other.
const LEVELS: &[(&str, &[&str])] = &[
    ("L0", &["live", "wire", "route", "yaml"]),
    ("L1", &["schema"]),
    ("L2", &["transcode"]),
    ("L3a", &["call"]),
    ("L3b", &["auth", "life", "tls", "telemetry"]),
    (
        "L4",
        &[
            "protocol", "layer", "upstream", "source", "serve", "acme", "export", "render",
            "discover",
        ],
    ),
    ("L5", &["config", "admin"]),
    ("L6", &["app", "cli"]),
    ("top", &["lib", "main"]),
];

/// Imports that break the order all the same, each with its reason.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    (
        "cli",
        "app",
        "the subcommands start what app puts together; app never imports cli",
    ),
    (
        "route",
        "wire",
        "percent-decoding stands in one place; wire never imports route",
    ),
];

/// A crate that only some files may name.
struct Fence {
    krate: &'static str,
    /// Prefixes of paths; one that ends in `.rs` is a file.
    inside: &'static [&'static str],
}

const L4_AND_UP: &[&str] = &[
    "src/life/",
    // A queue that the admin thread waits on.
    "src/telemetry/tap.rs",
    // A signal from workers to whoever brings keys, and back.
    "src/auth/set.rs",
    "src/protocol/",
    "src/layer/",
    "src/upstream/",
    "src/source/",
    "src/serve/",
    "src/acme/",
    "src/export/",
    "src/discover/",
    "src/config/",
    "src/admin/",
    "src/app/",
    "src/cli/",
    "src/main.rs",
];
const L4: &[&str] = &[
    "src/protocol/",
    "src/layer/",
    "src/upstream/",
    "src/source/",
    "src/serve/",
    "src/acme/",
    "src/export/",
    "src/discover/",
];

/// The console asks the data port what a page of another port may not.
const L4_AND_CONSOLE: &[&str] = &[
    "src/protocol/",
    "src/layer/",
    "src/upstream/",
    "src/source/",
    "src/serve/",
    "src/acme/",
    "src/export/",
    "src/discover/",
    "src/admin/console/attempt.rs",
];

const FENCES: &[Fence] = &[
    Fence {
        krate: "tokio",
        inside: L4_AND_UP,
    },
    Fence {
        krate: "hyper",
        inside: L4_AND_CONSOLE,
    },
    Fence {
        krate: "hyper_util",
        inside: L4_AND_CONSOLE,
    },
    Fence {
        krate: "h2",
        inside: L4,
    },
    Fence {
        krate: "prost_reflect",
        inside: &["src/source/"],
    },
    Fence {
        krate: "protox",
        inside: &["src/source/"],
    },
    Fence {
        krate: "tower",
        inside: &[
            "src/call/mod.rs",
            "src/protocol/mod.rs",
            "src/layer/",
            "src/upstream/mod.rs",
            "src/upstream/set.rs",
            "src/app/stack.rs",
        ],
    },
    Fence {
        krate: "axum",
        inside: &["src/admin/"],
    },
    Fence {
        krate: "granit_parser",
        inside: &["src/yaml/"],
    },
    Fence {
        krate: "clap",
        inside: &["src/cli/"],
    },
    Fence {
        krate: "rustls",
        inside: &["src/tls/"],
    },
    Fence {
        krate: "tokio_rustls",
        inside: &[
            "src/serve/",
            "src/acme/",
            "src/upstream/connect",
            "src/export/fetch.rs",
        ],
    },
];

/// Imports of modules that are not below the importing one.
pub(crate) fn direction(source: &Source) -> Vec<String> {
    if !source.path.starts_with("src/") {
        return Vec::new();
    }
    let module = source.module();
    let own = module.first().copied().unwrap_or("main");
    let Some(own_level) = level(own) else {
        return Vec::new();
    };
    let mut complaints = Vec::new();
    for (name, position) in imported_modules(source) {
        let Some(level) = level(&name) else { continue };
        let excepted = EXCEPTIONS
            .iter()
            .any(|(from, to, _)| *from == own && *to == name);
        if name != own && level >= own_level && !excepted {
            complaints.push(format!(
                "{}: {own} ({}) imports {name} ({}): a module imports only from lower levels",
                source.place(position),
                LEVELS[own_level].0,
                LEVELS[level].0,
            ));
        }
    }
    complaints
}

/// Crates that are named outside of their fence.
pub(crate) fn fences(source: &Source) -> Vec<String> {
    if !source.path.starts_with("src/") {
        return Vec::new();
    }
    let mut complaints = Vec::new();
    for (name, position) in named_crates(source) {
        let Some(fence) = FENCES.iter().find(|fence| fence.krate == name) else {
            continue;
        };
        if !fence
            .inside
            .iter()
            .any(|prefix| source.path.starts_with(prefix))
        {
            complaints.push(format!(
                "{}: {name} is only for {}",
                source.place(position),
                fence.inside.join(", "),
            ));
        }
    }
    complaints
}

/// Modules of the library that [`LEVELS`] does not place.
pub(crate) fn modules_without_level(library: &Source) -> Vec<String> {
    source::words(&library.code)
        .filter(|word| word.text == "mod")
        .filter_map(|word| {
            source::words(&library.code[word.end..])
                .next()
                .map(|name| (word, name))
        })
        .filter(|(_, name)| level(name.text).is_none())
        .map(|(word, name)| {
            format!(
                "{}: module {} has no level: place it in tests/tidy/imports.rs",
                library.place(word.start),
                name.text,
            )
        })
        .collect()
}

fn level(module: &str) -> Option<usize> {
    LEVELS
        .iter()
        .position(|(_, modules)| modules.contains(&module))
}

/// Every top-level module that the product code of a file names by `crate::` or by enough
/// `super::`, with its place.
fn imported_modules(source: &Source) -> Vec<(String, usize)> {
    let code = source.product.as_str();
    let depth = source.module().len();
    let mut found = Vec::new();
    let mut supers = 0;
    for word in source::words(code) {
        let is_path = source::after(code, word.end).starts_with("::");
        match word.text {
            "super" if is_path => supers += 1,
            "crate" if is_path => supers = depth,
            _ => supers = 0,
        }
        let at_root = supers == depth && (depth > 0 || word.text == "crate");
        if is_path && at_root && supers > 0 || (depth == 0 && word.text == "crate" && is_path) {
            let gap = code[word.end..].find("::").unwrap_or_default();
            found.extend(source::first_names(code, word.end + gap + 2));
            supers = 0;
        }
    }
    found.retain(|(name, _)| name != "super");
    found
}

/// Every identifier of the product code of a file that begins a path, with its place.
fn named_crates(source: &Source) -> Vec<(&str, usize)> {
    let code = source.product.as_str();
    source::words(code)
        .filter(|word| {
            let ahead = source::before(code, word.start);
            let begins = match ahead.strip_suffix("::") {
                // `::krate::x` begins a path as well; `a::krate::x` does not.
                Some(rest) => {
                    !rest.ends_with(|letter: char| {
                        letter.is_ascii_alphanumeric() || letter == '_' || letter == '>'
                    }) || ends_with_keyword(rest)
                }
                None => true,
            };
            let path = source::after(code, word.end).starts_with("::");
            let used = ends_with_keyword(ahead) || ahead.ends_with("extern crate");
            begins && (path || used)
        })
        .map(|word| (word.text, word.start))
        .collect()
}

fn ends_with_keyword(text: &str) -> bool {
    text.strip_suffix("use").is_some_and(|rest| {
        !rest.ends_with(|letter: char| letter.is_alphanumeric() || letter == '_')
    })
}
