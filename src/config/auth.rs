//! What the settings say about who may call: keys are read, and what cannot stand together is told.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, Uri};

use super::overlay::Input;
use super::resolve::path;
use super::settings::{AuthSettings, ClientAuth, IssuerSettings, RouteAuthSettings, Settings};
use super::tree::Tree;
use crate::auth::{self, ApiKeys, Auth, Issuer, KeySet, Keys, Places, Remote};
use crate::protocol::metadata::is_hop_by_hop;
use crate::schema::access::{Access, Ways};
use crate::schema::policy::RestOptions;
use crate::schema::problem::{Location, Problem};

const LEEWAY: Duration = Duration::from_secs(30);
const REFRESH: Duration = Duration::from_secs(300);

/// Everything that callers are known by, and the files that it was read from.
pub(super) fn resolve(
    settings: &AuthSettings,
    tree: &Tree,
    input: &Input,
    problems: &mut Vec<Problem>,
) -> (Arc<Auth>, Vec<PathBuf>) {
    let mut files = Vec::new();
    let mut issuers = Vec::new();
    for (name, given) in &settings.jwt {
        let at = Place { tree, input, name };
        let keys = at
            .keys(given, &mut files)
            .map_err(|problem| problems.push(problem));
        let Ok(keys) = keys else { continue };
        issuers.push(Issuer {
            name: name.as_str().into(),
            iss: given.issuer.as_deref().map(Box::from),
            audiences: given
                .audiences
                .iter()
                .map(|one| one.as_str().into())
                .collect(),
            leeway: given.leeway.map_or(LEEWAY, |period| period.0).as_secs(),
            headers: {
                let headers = given.headers.iter();
                // Names were checked against the same grammar.
                let named = headers.filter_map(|(name, claim)| {
                    Some((HeaderName::try_from(&*name.0).ok()?, claim.as_str().into()))
                });
                named.collect()
            },
            keys,
        });
    }
    // One that takes any token comes after those that name theirs.
    issuers.sort_by_key(|issuer| issuer.iss.is_none());
    let api_keys = api_keys((tree, input), &mut files, problems);
    let auth = Auth {
        issuers,
        api_keys: Arc::new(api_keys),
        places: Places {
            cookie: settings.token_cookie.as_ref().map(|name| name.0.clone()),
            query: settings.token_query.as_ref().map(|name| name.0.clone()),
            key_header: HeaderName::try_from(&*settings.api_keys.header.0).ok(),
            key_query: settings.api_keys.query.as_ref().map(|name| name.0.clone()),
        },
        forwards_tokens: settings.forward_token,
    };
    (Arc::new(auth), files)
}

/// Reads the file with API keys, if there is one.
fn api_keys(
    (tree, input): (&Tree, &Input),
    files: &mut Vec<PathBuf>,
    problems: &mut Vec<Problem>,
) -> ApiKeys {
    let Some(branch) = tree.branch(&["auth", "api_keys", "file"]) else {
        return ApiKeys::default();
    };
    let Some(path) = path(&branch.tree, input) else {
        return ApiKeys::default();
    };
    files.push(path.clone());
    let shown = path.display().to_string();
    let place = || branch.tree.origin.location();
    let text = match fs::read(&path) {
        Ok(bytes) if bytes.len() > auth::MOST_BYTES_OF_API_KEYS => Err("is too large".to_owned()),
        Ok(bytes) => String::from_utf8(bytes).map_err(|_binary| "is no text".to_owned()),
        Err(error) => Err(format!("cannot be read: {error}")),
    };
    match text.map(|text| ApiKeys::parse(&text)) {
        Ok(Ok(keys)) => return keys,
        Ok(Err(wrong)) => {
            let file: Arc<str> = shown.into();
            problems.extend(wrong.into_iter().map(|wrong| {
                Problem::error(Location::at(Arc::clone(&file), wrong.line, 1), wrong.why)
            }));
        }
        Err(why) => problems.push(Problem::error(place(), format!("{shown} {why}"))),
    }
    ApiKeys::default()
}

struct Place<'a> {
    tree: &'a Tree,
    input: &'a Input,
    name: &'a str,
}

impl Place<'_> {
    fn of(&self, key: &str) -> Option<Location> {
        let here = ["auth", "jwt", self.name];
        let value = self.tree.value_place(&[&here[..], &[key]].concat());
        value.or_else(|| self.tree.place(&here))
    }

    fn keys(
        &self,
        given: &IssuerSettings,
        files: &mut Vec<PathBuf>,
    ) -> Result<Arc<KeySet>, Problem> {
        let name = self.name;
        let Some(keys) = &given.keys else {
            let message = format!("`auth.jwt.{name}` has no `keys`");
            let help = "name a file with a JSON Web Key Set, or the URL of one";
            return Err(Problem::error(self.of("keys"), message).with_help(help));
        };
        if keys.starts_with("http://") || keys.starts_with("https://") {
            return self.remote(given, keys);
        }
        let branch = self.tree.branch(&["auth", "jwt", name, "keys"]);
        let path = branch.and_then(|branch| path(&branch.tree, self.input));
        let path = path.unwrap_or_else(|| PathBuf::from(keys));
        files.push(path.clone());
        let shown = path.display();
        let refused = |why: String| Problem::error(self.of("keys"), why);
        let document =
            fs::read(&path).map_err(|error| refused(format!("{shown} cannot be read: {error}")))?;
        let keys = Keys::parse(&document, true)
            .map_err(|why| refused(format!("{shown} is no set of keys: {why}")))?;
        Ok(KeySet::of(keys))
    }

    fn remote(&self, given: &IssuerSettings, url: &str) -> Result<Arc<KeySet>, Problem> {
        let parsed: Option<Uri> = url.parse().ok();
        let sound = parsed.filter(|url| url.host().is_some_and(|host| !host.is_empty()));
        let Some(url) = sound.filter(|url| !url.to_string().contains('@')) else {
            let message = format!("`auth.jwt.{}.keys` is no URL of a set of keys", self.name);
            return Err(Problem::error(self.of("keys"), message));
        };
        let items = self.tree.items(&["auth", "jwt", self.name, "ca"]);
        let authorities = items.iter().filter_map(|item| path(item, self.input));
        Ok(KeySet::at(Remote {
            url,
            authorities: authorities.collect(),
            refresh: given.refresh.map_or(REFRESH, |period| period.0),
        }))
    }
}

/// What callers of a route have to show, laid over what `base` has.
pub(super) fn onto(given: &RouteAuthSettings, base: Option<&Arc<Access>>) -> Option<Arc<Access>> {
    let mut access = base.map(|base| (**base).clone()).unwrap_or_default();
    let boxed = |texts: &[String]| texts.iter().map(|text| text.as_str().into()).collect();
    if let Some(require) = given.require {
        access.ways = Ways::from(require);
    }
    if let Some(scopes) = &given.scopes {
        access.scopes = boxed(scopes);
    }
    if let Some(callers) = &given.callers {
        access.callers = boxed(callers);
    }
    for (name, values) in &given.claims {
        access.claims.retain(|(known, _)| **known != **name);
        if !values.is_empty() {
            access.claims.push((name.as_str().into(), boxed(values)));
        }
    }
    access.ways.any().then(|| Arc::new(access))
}

/// What everybody has to show.
pub(super) fn everybody(settings: &AuthSettings) -> Option<Arc<Access>> {
    let require = RouteAuthSettings {
        require: Some(settings.require),
        ..RouteAuthSettings::default()
    };
    onto(&require, None)
}

/// What REST has to know: headers that nobody may send, and a parameter that is no field.
pub(super) fn prepare(settings: &AuthSettings, rest: &mut RestOptions) {
    rest.open_docs = settings.docs.into();
    let headers = settings
        .jwt
        .values()
        .flat_map(|issuer| issuer.headers.keys());
    let names: BTreeSet<Box<str>> = headers.map(|name| name.0.clone()).collect();
    add(&mut rest.denied_headers, names);
    let queries = [&settings.token_query, &settings.api_keys.query];
    let queries = queries.into_iter().flatten().map(|name| name.0.clone());
    add(&mut rest.ignored_query, queries);
}

fn add(list: &mut Vec<Box<str>>, names: impl IntoIterator<Item = Box<str>>) {
    for name in names {
        if !list.contains(&name) {
            list.push(name);
        }
    }
}

/// Tells what cannot stand together.
pub(super) fn conflicts(settings: &Settings, tree: &Tree, problems: &mut Vec<Problem>) {
    let all = &settings.auth;
    lacking(
        settings,
        (Ways::from(all.require), &["auth", "require"]),
        tree,
        problems,
    );
    for (selector, route) in &settings.routes {
        let at = ["routes", selector.as_str(), "auth"];
        let given = &route.auth;
        if let Some(require) = given.require {
            let place = [&at[..], &["require"]].concat();
            lacking(settings, (Ways::from(require), &place), tree, problems);
        }
        let covering = settings
            .routes
            .iter()
            .filter(|(wide, _)| wide.covers(selector));
        // The narrowest one that says it holds, as it will for calls.
        let narrowest = covering
            .filter_map(|(wide, route)| Some((wide.as_str().len(), route.auth.require?)))
            .max_by_key(|(length, _)| *length);
        let required = narrowest.map_or(all.require, |(_, require)| require);
        let off = |require| !Ways::from(require).any();
        let more = given.scopes.is_some() || given.callers.is_some() || !given.claims.is_empty();
        if more && off(required) {
            let message = format!("`routes.{selector}.auth` asks nobody who he is");
            problems.push(
                Problem::error(tree.place(&at), message)
                    .with_help("say what callers have to show: `require: jwt`, say"),
            );
        }
        for header in route.bind_headers.keys() {
            if auth::is_own_header(&header.0) {
                let path = ["routes", selector.as_str(), "bind_headers", &header.0];
                let message = format!("a field cannot have `{header}`, as clients could send it");
                problems.push(
                    Problem::error(tree.place(&path), message)
                        .with_help("the application gets it as metadata, from the gateway alone"),
                );
            }
        }
        let whole = selector.as_str() == "*" && given.require.is_some_and(|require| !off(require));
        if whole && off(all.require) && settings.rest.fallback.is_some() {
            let message = "`routes.*.auth` is for methods: `rest.fallback` is open to anybody";
            problems.push(
                Problem::warning(tree.place(&at), message)
                    .with_help("`auth.require` is for everything"),
            );
        }
    }
    for name in all.jwt.keys() {
        issuer(settings, name, tree, problems);
    }
    denied(settings, tree, problems);
}

/// Tells of headers that are taken away before they are read.
fn denied(settings: &Settings, tree: &Tree, problems: &mut Vec<Problem>) {
    let all = &settings.auth;
    let reads = [("authorization", "auth.jwt", !all.jwt.is_empty())];
    let cookie = ("cookie", "auth.token_cookie", all.token_cookie.is_some());
    let key = (
        &*all.api_keys.header.0,
        "auth.api_keys",
        all.api_keys.file.is_some(),
    );
    for (header, reader, is_read) in reads.into_iter().chain([cookie, key]) {
        let denied = &settings.rest.headers.deny;
        if is_read && denied.iter().any(|name| *name.0 == *header) {
            let place = tree.value_place(&["rest", "headers", "deny"]);
            let message =
                format!("`rest.headers.deny` takes away `{header}`, which `{reader}` reads");
            problems.push(
                Problem::error(place, message)
                    .with_help("`auth.forward_token: false` keeps a token from the application"),
            );
        }
    }
}

/// Tells of something that is required and that nobody can show.
fn lacking(
    settings: &Settings,
    (ways, at): (Ways, &[&str]),
    tree: &Tree,
    problems: &mut Vec<Problem>,
) {
    let name = at.join(".");
    let certificates = settings.tls.client_auth != ClientAuth::Off;
    let tokens = !settings.auth.jwt.is_empty();
    let keys = settings.auth.api_keys.file.is_some();
    let help = if (ways.token && tokens)
        || (ways.api_key && keys)
        || (ways.certificate && certificates)
        || !ways.any()
    {
        return;
    } else if ways.token {
        "name who signs tokens in `auth.jwt`"
    } else if ways.api_key {
        "name the file with keys in `auth.api_keys.file`"
    } else {
        "ask for certificates by `tls.client_auth` and `tls.client_ca`"
    };
    let message = format!("`{name}` asks for what nobody can show");
    problems.push(Problem::error(tree.value_place(at), message).with_help(help));
}

fn issuer(settings: &Settings, name: &str, tree: &Tree, problems: &mut Vec<Problem>) {
    let Some(issuer) = settings.auth.jwt.get(name) else {
        return;
    };
    let at = ["auth", "jwt", name];
    let first = settings
        .auth
        .jwt
        .iter()
        .find(|(_, other)| other.issuer.is_none() || other.issuer == issuer.issuer);
    if let Some((first, _)) = first.filter(|(first, _)| first.as_str() < name) {
        let message = format!("`auth.jwt.{name}` is never asked: `{first}` takes its tokens");
        problems.push(
            Problem::error(tree.place(&at), message)
                .with_help("give each an `issuer` of its own, as tokens say it in `iss`"),
        );
    }
    if issuer.audiences.is_empty() {
        let message = format!("`auth.jwt.{name}` takes tokens that are meant for others too");
        problems.push(
            Problem::warning(tree.place(&at), message)
                .with_help("name what tokens are meant for in `audiences`"),
        );
    }
    for header in issuer.headers.keys() {
        let bound = settings
            .routes
            .values()
            .any(|route| route.bind_headers.contains_key(header));
        let own = auth::is_own_header(&header.0)
            || header.0.starts_with("grpc-")
            || header.0.ends_with("-bin")
            || is_hop_by_hop(&header.0)
            || matches!(
                &*header.0,
                "authorization" | "cookie" | "host" | "content-type" | "content-length"
            );
        let why = match (own, bound) {
            (true, _) => "has a meaning of its own",
            (false, true) => "goes to a field by `bind_headers`, as clients send it",
            (false, false) => continue,
        };
        let place = tree.place(&[&at[..], &["headers", &header.0]].concat());
        let message = format!("the header `{header}` {why}");
        problems.push(
            Problem::error(place, message)
                .with_help("give it another name, such as `x-` and the claim's"),
        );
    }
}
