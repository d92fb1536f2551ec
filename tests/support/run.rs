//! Runs the rows of a file of cases against a gateway.

use futures_util::StreamExt;
use futures_util::stream;

use super::case::{Case, CaseFile, First, check};
use super::client::Version;
use super::schema::TestSchema;
use super::target::Gateway;
use super::upstream::{FirstConnection, Upstream};

/// What came of a row over one version of HTTP.
pub(crate) struct Ran {
    pub(crate) name: String,
    /// `h1` or `h2`.
    pub(crate) over: &'static str,
    /// Every difference, when there is one.
    pub(crate) result: Result<(), String>,
}

/// The application that a file wants.
pub(crate) fn application(file: &CaseFile) -> Upstream {
    let first = match file.first_connection {
        First::Serve => FirstConnection::Serve,
        First::Close => FirstConnection::Close,
        First::HalfPreface => FirstConnection::HalfPreface,
        First::GoAwayUnprocessed => FirstConnection::GoAwayUnprocessed,
        First::Http1 => FirstConnection::Http1,
        First::Absent => FirstConnection::Absent,
    };
    Upstream::start_at("127.0.0.1:0", first)
}

/// Runs rows, so many at once, each over every version of HTTP that it names. The results stand
/// in the order of the rows.
pub(crate) async fn rows(
    rows: &[Case],
    at_once: usize,
    aim: (&Gateway, &Upstream, &TestSchema),
) -> Vec<Ran> {
    let runs = rows.iter().flat_map(|case| {
        case.versions()
            .into_iter()
            .map(move |version| (case, version))
    });
    stream::iter(runs)
        .map(|(case, version)| async move {
            Ran {
                name: case.name.clone(),
                over: if version == Version::H1 { "h1" } else { "h2" },
                result: check::run(case, version, aim).await,
            }
        })
        .buffered(at_once)
        .collect()
        .await
}
