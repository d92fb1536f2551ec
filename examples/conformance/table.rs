//! The groups of rules and what a gateway keeps of each.

use crate::support::run::Ran;

/// The groups, by the letter that the names of cases begin with.
const GROUPS: [(char, &str); 6] = [
    ('R', "routes"),
    ('B', "binding"),
    ('J', "JSON"),
    ('S', "streams"),
    ('E', "errors"),
    ('M', "metadata and deadlines"),
];

/// What became of a case.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    Passed,
    /// Every difference.
    Failed(String),
    /// Why it was not tried.
    Skipped(String),
}

/// The group of a case by its name; none for those about other protocols.
pub(crate) fn group_of(name: &str) -> Option<usize> {
    let mut letters = name.chars();
    let first = letters.next()?;
    letters.next()?.to_digit(10)?;
    GROUPS.iter().position(|(letter, _)| *letter == first)
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl Count {
    fn plus(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }

    fn tried(self) -> usize {
        self.passed + self.failed
    }
}

/// Counts by gateway and group.
#[derive(Debug)]
pub(crate) struct Table {
    gateways: Vec<String>,
    counts: Vec<[Count; GROUPS.len()]>,
}

impl Table {
    pub(crate) fn new(gateways: Vec<String>) -> Self {
        let counts = vec![<[Count; GROUPS.len()]>::default(); gateways.len()];
        Self { gateways, counts }
    }

    /// Counts one case.
    pub(crate) fn note(&mut self, gateway: usize, group: Option<usize>, verdict: &Verdict) {
        let Some(group) = group else { return };
        let count = &mut self.counts[gateway][group];
        match verdict {
            Verdict::Passed => count.passed += 1,
            Verdict::Failed(_) => count.failed += 1,
            Verdict::Skipped(_) => count.skipped += 1,
        }
    }

    /// Whether no gateway failed a case.
    pub(crate) fn all_passed(&self) -> bool {
        self.counts.iter().flatten().all(|count| count.failed == 0)
    }

    fn rows(&self) -> impl Iterator<Item = (String, Vec<Count>)> {
        let groups = GROUPS.iter().enumerate().map(|(at, (letter, what))| {
            let counts = self.counts.iter().map(|counts| counts[at]).collect();
            (format!("{letter} {what}"), counts)
        });
        let all = |counts: &[Count; GROUPS.len()]| {
            counts.iter().copied().fold(Count::default(), Count::plus)
        };
        groups.chain([("all".to_owned(), self.counts.iter().map(all).collect())])
    }

    /// The table for a terminal, a block for each gateway.
    pub(crate) fn plain(&self) -> String {
        let mut text = String::new();
        for (at, gateway) in self.gateways.iter().enumerate() {
            text += &format!("{gateway:<26} passed  failed  skipped\n");
            for (group, counts) in self.rows() {
                let count = counts[at];
                text += &format!(
                    "{group:<26} {:>6}  {:>6}  {:>7}\n",
                    count.passed, count.failed, count.skipped
                );
            }
        }
        text
    }

    /// A line for each group, a column for each gateway.
    pub(crate) fn markdown(&self) -> String {
        let mut text = format!("| rules | {} |\n", self.gateways.join(" | "));
        text += &format!("|---|{}\n", "---:|".repeat(self.gateways.len()));
        for (group, counts) in self.rows() {
            let cells: Vec<String> = counts
                .iter()
                .map(|count| format!("{} of {}", count.passed, count.tried()))
                .collect();
            text += &format!("| {group} | {} |\n", cells.join(" | "));
        }
        text
    }
}

impl Verdict {
    /// Of a row that was run over each of its versions of HTTP.
    pub(crate) fn of(ran: &[Ran]) -> Self {
        let differences: Vec<String> = ran
            .iter()
            .filter_map(|ran| Some(format!("({}) {}", ran.over, ran.result.as_ref().err()?)))
            .collect();
        if differences.is_empty() {
            Self::Passed
        } else {
            Self::Failed(differences.join("\n     "))
        }
    }

    /// A line for whoever wants to see more than counts.
    pub(crate) fn print(&self, gateway: &str, file: &str, row: &str) {
        match self {
            Self::Passed => {}
            Self::Failed(why) => println!("{gateway}: {file}: {row}\n     {why}"),
            Self::Skipped(why) => println!("{gateway}: {file}: {row}: skipped: {why}"),
        }
    }
}
