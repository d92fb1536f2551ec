//! From what protox and prost-reflect complain about to [`Problem`]s with file, line and column.

use std::sync::Arc;

use protox::Error;

use super::scan::Position;
use crate::schema::problem::Problem;

/// One complaint of the compiler.
#[derive(Debug)]
pub(super) struct Complaint {
    /// What is wrong, in one line.
    pub(super) message: String,
    /// Where, when that is known, then other places that belong to it.
    pub(super) places: Vec<(Position, Option<String>)>,
    /// What to do.
    pub(super) help: Option<String>,
}

/// Everything that an error holds about a file with this text.
pub(super) fn complaints(error: &Error, text: &str) -> Vec<Complaint> {
    let mut found = vec![complaint(error, text)];
    found.extend(
        miette::Diagnostic::related(error)
            .into_iter()
            .flatten()
            .map(|related| complaint(related, text)),
    );
    found
}

/// One complaint instead of many about a file that is a copy of another: the names that both
/// declare are as many as the file is long.
pub(super) fn squeeze(mut found: Vec<Complaint>) -> Vec<Complaint> {
    let is_double =
        |complaint: &Complaint| complaint.message.contains(" is already defined in file ");
    let doubles = found
        .iter()
        .filter(|complaint| is_double(complaint))
        .count();
    let mut seen = 0;
    found.retain_mut(|complaint| {
        if !is_double(complaint) {
            return true;
        }
        seen += 1;
        if seen == 1 && doubles > 1 {
            complaint.message += &format!(", as are {} other names of this file", doubles - 1);
        }
        seen == 1
    });
    found
}

fn complaint(diagnostic: &dyn miette::Diagnostic, text: &str) -> Complaint {
    let mut message = diagnostic.to_string();
    let mut cause = diagnostic.diagnostic_source();
    while let Some(inner) = cause {
        message.push_str(": ");
        message.push_str(&inner.to_string());
        cause = inner.diagnostic_source();
    }
    Complaint {
        message,
        places: diagnostic
            .labels()
            .into_iter()
            .flatten()
            .map(|label| {
                let at = Position::of(text, label.offset());
                (at, label.label().map(str::to_owned))
            })
            .collect(),
        help: diagnostic.help().map(|help| help.to_string()),
    }
}

impl Complaint {
    /// Where it is, when that is known.
    pub(super) fn place(&self) -> Option<Position> {
        self.places.first().map(|(place, _)| *place)
    }

    /// As an error in a file.
    pub(super) fn into_error(self, file: &Arc<str>) -> Problem {
        let mut places = self
            .places
            .into_iter()
            .map(|(at, why)| (at.within(file), why));
        let first = places.next().map_or_else(
            || crate::schema::problem::Location::file(Arc::clone(file)),
            |(location, _)| location,
        );
        let mut problem = Problem::error(first, self.message);
        for (location, why) in places {
            problem = problem.with_note(location, why.unwrap_or_default());
        }
        problem.help = self.help;
        problem
    }
}
