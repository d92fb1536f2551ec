//! An [`Explanation`] for people: `sidegate explain`.

use std::fmt;

use super::{Explanation, Outcome};

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = match self.outcome {
            Outcome::Served => "goes to the application",
            Outcome::Answered => "is answered by the gateway",
            Outcome::Refused => "is refused",
        };
        write!(f, "{} {} ({}) {end}", self.method, self.path, self.protocol)?;
        if let Some(status) = self.status {
            write!(f, " with {status}")?;
        }
        if let Some(reason) = self.reason {
            write!(f, " {reason}")?;
        }
        writeln!(f)?;
        for sentence in &self.why {
            writeln!(f, "  - {sentence}")?;
        }
        self.write_target(f)?;
        self.write_alternatives(f)
    }
}

impl Explanation {
    fn write_target(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(route) = &self.route {
            writeln!(f, "route     {} {}", route.method, route.template)?;
        }
        if let Some(rpc) = &self.rpc {
            let (name, stream) = (&rpc.name, &rpc.stream);
            writeln!(
                f,
                "rpc       {name}, {stream}: {} -> {}",
                rpc.input, rpc.output
            )?;
        }
        if let Some(upstream) = &self.upstream {
            writeln!(f, "upstream  {upstream}")?;
        }
        for bound in &self.bindings {
            let (field, value) = (&bound.field, &bound.value);
            writeln!(f, "{:8}  {field} <- {value}", bound.from)?;
        }
        if !self.settings.is_empty() {
            writeln!(f, "settings")?;
        }
        for setting in &self.settings {
            let place = setting.at.as_deref().unwrap_or(setting.source);
            writeln!(f, "  {} = {} ({place})", setting.key, setting.value)?;
        }
        Ok(())
    }

    fn write_alternatives(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.allowed.is_empty() {
            writeln!(f, "allowed here")?;
        }
        for allowed in &self.allowed {
            writeln!(f, "  {:7} {}", allowed.method, allowed.rpc)?;
        }
        if !self.nearest.is_empty() {
            writeln!(f, "nearest")?;
        }
        for near in &self.nearest {
            writeln!(f, "  {} {} ({})", near.method, near.template, near.rpc)?;
            for difference in &near.differences {
                writeln!(f, "      {difference}")?;
            }
        }
        Ok(())
    }
}
