//! The table as it is printed: one line a fault as soon as it is known, and the counts.

use std::time::Instant;

use crate::bystander::Figures;
use crate::faults::Fault;
use crate::options::Options;

/// What one fault came to.
#[derive(Debug)]
pub(crate) enum Line {
    /// It was done.
    Done {
        good: bool,
        figure: String,
        beside: Beside,
        /// It was done so many times, because only the bystander's latency was amiss.
        times: usize,
    },
    /// The gateway does not have what it would be tried on.
    NotYet(&'static str),
    /// It means nothing to this gateway.
    DoesNotApply(&'static str),
    /// The fault itself could not be done or looked at.
    Broken(String),
}

/// What became of the bystander.
#[derive(Debug)]
pub(crate) enum Beside {
    Saw {
        before: Figures,
        during: Figures,
        /// Whether its calls wait for something on purpose, so that only failures count.
        waits: Option<&'static str>,
    },
    /// There can be none, for this reason.
    Nobody(&'static str),
}

impl Beside {
    pub(crate) fn failed(&self) -> bool {
        matches!(self, Self::Saw { during, .. } if during.errors > 0 || during.calls == 0)
    }

    pub(crate) fn is_slow(&self) -> bool {
        matches!(self, Self::Saw { before, during, waits: None } if !during.is_as_quick_as(before))
    }
}

#[derive(Debug)]
pub(crate) struct Report {
    begun: Instant,
    passed: usize,
    failed: Vec<u8>,
    not_yet: Vec<u8>,
    left_out: usize,
}

impl Report {
    pub(crate) fn begin(options: &Options) -> Self {
        if !options.long {
            println!(
                "SHORTENED counts and times are cut to seconds a fault; --long has them whole\n"
            );
        }
        println!("| # | done | measured | bystander | verdict |");
        println!("|---|---|---|---|---|");
        Self {
            begun: Instant::now(),
            passed: 0,
            failed: Vec::new(),
            not_yet: Vec::new(),
            left_out: 0,
        }
    }

    pub(crate) fn add(&mut self, fault: &Fault, line: Line) {
        let (figure, beside, verdict) = match line {
            Line::Done {
                good,
                figure,
                beside,
                times,
            } => {
                let good = good && !beside.failed() && !beside.is_slow();
                if good {
                    self.passed += 1;
                } else {
                    self.failed.push(fault.number);
                }
                let again = match times {
                    1 => String::new(),
                    times => format!(", at the {times}. time: the bystander was slow before"),
                };
                let verdict = format!("{}{again}", if good { "pass" } else { "FAIL" });
                (figure, in_words(&beside), verdict)
            }
            Line::NotYet(what) => {
                self.not_yet.push(fault.number);
                (what.to_owned(), "-".to_owned(), "not yet".to_owned())
            }
            Line::DoesNotApply(why) => {
                self.left_out += 1;
                (why.to_owned(), "-".to_owned(), "does not apply".to_owned())
            }
            Line::Broken(error) => {
                self.failed.push(fault.number);
                (error, "-".to_owned(), "FAIL".to_owned())
            }
        };
        let number = fault.number;
        let done = fault.title;
        println!("| {number} | {done} | {figure} | {beside} | {verdict} |");
    }

    /// Prints the counts; whether nothing failed.
    pub(crate) fn end(self) -> bool {
        let took = self.begun.elapsed().as_secs();
        println!();
        if !self.failed.is_empty() {
            println!("failed: {:?}", self.failed);
        }
        if !self.not_yet.is_empty() {
            println!("not yet: {:?}", self.not_yet);
        }
        println!(
            "faults: {} passed, {} failed, {} not yet, {} do not apply, in {took} s",
            self.passed,
            self.failed.len(),
            self.not_yet.len(),
            self.left_out
        );
        self.failed.is_empty()
    }
}

fn in_words(beside: &Beside) -> String {
    match beside {
        Beside::Saw {
            during,
            waits: Some(why),
            ..
        } => format!("{during}: {why}"),
        Beside::Saw { before, during, .. } => {
            let before = before.p99.as_secs_f64() * 1e3;
            format!("{during}, before {before:.1}")
        }
        Beside::Nobody(why) => (*why).to_owned(),
    }
}
