//! The rules of a corpus, counted from its descriptors without the compiler of schemas.

use std::collections::{BTreeMap, HashMap, HashSet};

use bytes::Bytes;
use prost::Message;
use sidegate::route::template::Template;
use sidegate::schema::compile::SourceFile;
use sidegate::schema::descriptor::{FileDescriptorProto, HttpPattern, HttpRule};

/// Files and what they declare.
pub(crate) struct Corpus {
    pub(crate) files: Vec<SourceFile>,
    /// Of each package with a service: its files and all they import, in order.
    pub(crate) packages: BTreeMap<String, Vec<usize>>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) annotated_methods: usize,
}

/// One rule of one method.
pub(crate) struct Rule {
    pub(crate) package: String,
    /// `/pkg.Service/Method`.
    pub(crate) rpc: String,
    pub(crate) http_method: String,
    pub(crate) path: String,
    /// The parsed path; `None` when it does not parse.
    pub(crate) template: Option<Template>,
}

impl Rule {
    /// What two rules must not share.
    pub(crate) fn shape(&self) -> Option<String> {
        Some(shape(&self.http_method, self.template.as_ref()?))
    }
}

/// A method and a path without the names of its variables.
pub(crate) fn shape(http_method: &str, template: &Template) -> String {
    let segments: Vec<String> = template
        .segments()
        .iter()
        .map(ToString::to_string)
        .collect();
    let verb = template.verb().unwrap_or_default();
    format!("{http_method} /{}:{verb}", segments.join("/"))
}

impl Corpus {
    pub(crate) fn new(files: Vec<SourceFile>) -> Result<Self, String> {
        let mut decoded = Vec::with_capacity(files.len());
        for file in &files {
            let proto = FileDescriptorProto::decode(Bytes::clone(&file.bytes));
            decoded.push(proto.map_err(|error| error.to_string())?);
        }
        let mut rules = Vec::new();
        let mut annotated_methods = 0;
        for file in &decoded {
            annotated_methods += read_rules(file, &mut rules);
        }
        let packages = packages(&decoded);
        Ok(Self {
            files,
            packages,
            rules,
            annotated_methods,
        })
    }
}

/// Adds the rules of a file; how many of its methods have any.
fn read_rules(file: &FileDescriptorProto, rules: &mut Vec<Rule>) -> usize {
    let package = file.package.clone().unwrap_or_default();
    let mut annotated = 0;
    for service in &file.service {
        let name = service.name.as_deref().unwrap_or_default();
        let dot = if package.is_empty() { "" } else { "." };
        for method in &service.method {
            let Some(rule) = method
                .options
                .as_ref()
                .and_then(|options| options.http.as_ref())
            else {
                continue;
            };
            annotated += 1;
            let method = method.name.as_deref().unwrap_or_default();
            let rpc = format!("/{package}{dot}{name}/{method}");
            for rule in std::iter::once(rule).chain(&rule.additional_bindings) {
                let Some((http_method, path)) = pattern(rule) else {
                    continue;
                };
                rules.push(Rule {
                    package: package.clone(),
                    rpc: rpc.clone(),
                    http_method,
                    template: Template::parse(&path).ok(),
                    path,
                });
            }
        }
    }
    annotated
}

fn pattern(rule: &HttpRule) -> Option<(String, String)> {
    let (http_method, path) = match rule.pattern.as_ref()? {
        HttpPattern::Get(path) => ("GET", path),
        HttpPattern::Put(path) => ("PUT", path),
        HttpPattern::Post(path) => ("POST", path),
        HttpPattern::Delete(path) => ("DELETE", path),
        HttpPattern::Patch(path) => ("PATCH", path),
        HttpPattern::Custom(custom) => (custom.kind.as_str(), &custom.path),
    };
    Some((http_method.to_owned(), path.clone()))
}

fn packages(files: &[FileDescriptorProto]) -> BTreeMap<String, Vec<usize>> {
    let name = |file: &FileDescriptorProto| file.name.clone().unwrap_or_default();
    let by_name: HashMap<String, usize> = files.iter().map(name).zip(0..).collect();
    let mut packages: BTreeMap<String, HashSet<usize>> = BTreeMap::new();
    for (at, file) in files
        .iter()
        .enumerate()
        .filter(|(_, file)| !file.service.is_empty())
    {
        let wanted = packages
            .entry(file.package.clone().unwrap_or_default())
            .or_default();
        let mut pending = vec![at];
        while let Some(next) = pending.pop() {
            let Some(file) = files.get(next).filter(|_| wanted.insert(next)) else {
                continue;
            };
            pending.extend(file.dependency.iter().filter_map(|name| by_name.get(name)));
        }
    }
    let in_order = |wanted: HashSet<usize>| {
        let mut indices: Vec<usize> = wanted.into_iter().collect();
        indices.sort_unstable();
        indices
    };
    packages
        .into_iter()
        .map(|(name, wanted)| (name, in_order(wanted)))
        .collect()
}
