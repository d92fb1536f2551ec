//! What the settings say about ACME: what is asked for, where it is kept, what makes no sense.

use super::overlay::Input;
use super::resolve::path;
use super::secured::files;
use super::settings::{AcmeChallenge, Settings};
use super::tree::Tree;
use crate::acme::{Challenge, Params, certificate};
use crate::schema::problem::{Problem, Severity};
use crate::tls::{ClientParams, File, Managed};

/// The key that turns it on.
const DOMAINS: [&str; 3] = ["tls", "acme", "domains"];

/// What is asked of an authority, if anything is.
pub(super) fn params(settings: &Settings, tree: &Tree, input: &Input) -> Option<Params> {
    let given = &settings.tls.acme;
    if given.domains.is_empty() {
        return None;
    }
    let folder = &tree.branch(&["tls", "acme", "folder"])?.tree;
    Some(Params {
        directory: given.directory.to_string(),
        authority: ClientParams {
            name: None,
            place: tree.value_place(&["tls", "acme", "directory"]),
            authorities: files(tree, &["tls", "acme", "directory_ca"], input),
            own: None,
        },
        contact: given.contact.clone(),
        folder: path(folder, input)?,
        names: given.domains.iter().map(|name| name.0.clone()).collect(),
        challenge: match given.challenge {
            AcmeChallenge::TlsAlpn => Challenge::TlsAlpn,
            AcmeChallenge::Http => Challenge::Http(given.http_listen.0),
        },
    })
}

/// The certificates that come from it.
pub(super) fn managed(params: Option<&Params>, tree: &Tree) -> Vec<Managed> {
    let names = params.into_iter().flat_map(|params| {
        let names = params.names.iter();
        names.map(|name| (name, certificate(&params.folder, name)))
    });
    names
        .map(|(name, path)| Managed {
            name: name.clone(),
            file: File {
                key: DOMAINS.join("."),
                path,
                place: tree.value_place(&DOMAINS),
            },
        })
        .collect()
}

/// Tells what cannot stand together.
pub(super) fn conflicts(settings: &Settings, tree: &Tree, problems: &mut Vec<Problem>) {
    let given = &settings.tls.acme;
    let place = || tree.value_place(&DOMAINS);
    if given.domains.is_empty() {
        // A host that was refused has been told already.
        let refused = problems.iter().any(|one| one.severity == Severity::Error);
        if let Some(branch) = tree.branch(&["tls", "acme"])
            && !refused
            && let Some(place) = branch.key.location()
        {
            let message = "`tls.acme` has no effect without a host in `tls.acme.domains`";
            problems.push(Problem::warning(place, message));
        }
        return;
    }
    if settings.tls.self_signed {
        let message = "`tls.self_signed` cannot stand beside `tls.acme.domains`";
        problems.push(Problem::error(place(), message).with_help("leave one of them out"));
    }
    for (index, name) in given.domains.iter().enumerate() {
        if given.domains.iter().take(index).any(|other| other == name) {
            let message = format!("`tls.acme.domains` has `{name}` twice");
            problems.push(Problem::error(place(), message));
        }
    }
    let http = given.http_listen.0;
    if given.challenge == AcmeChallenge::Http && http.port() != 0 && http == settings.listen.0 {
        let message = "`tls.acme.http_listen` is taken already by `listen`";
        let place = tree.value_place(&["tls", "acme", "http_listen"]);
        problems.push(Problem::error(place, message).with_help("it is a port of plain HTTP"));
    }
}
