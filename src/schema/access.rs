//! [`Access`]: what callers of a method have to show, resolved at load.
//!
//! Access hangs on the method that a request was resolved to, never on its path: whatever leads to
//! a method, by REST, gRPC or WebSocket, meets the same rule (fault 15). Plain HTTP and the pages of
//! the gateway itself are no methods; for them the rule holds that is everybody's.

/// What callers have to show. Where there is none, nobody is asked for anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// The ways to be known, of which one is enough; nobody is asked who he is if there is none.
    pub ways: Ways,
    /// What a token has to be good for, all of it.
    pub scopes: Vec<Box<str>>,
    /// Claims that a token has to have, each with the values of which one is enough.
    pub claims: Vec<(Box<str>, Vec<Box<str>>)>,
    /// Who may call: names, or the beginnings of names and `*`. Everybody who is known if empty.
    pub callers: Vec<Box<str>>,
}

/// Ways to be known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ways {
    /// A signed token.
    pub token: bool,
    /// A secret of the caller's own.
    pub api_key: bool,
    /// A certificate that the connection was made with.
    pub certificate: bool,
}

impl Ways {
    /// Whether somebody has to be known at all.
    pub fn any(self) -> bool {
        self.token || self.api_key || self.certificate
    }
}

impl Access {
    /// Whether a caller who is known by one of these names may call.
    pub fn admits(&self, mut names: &mut dyn Iterator<Item = &str>) -> bool {
        self.callers.is_empty()
            || Iterator::any(&mut names, |name| {
                self.callers.iter().any(|pattern| fits(pattern, name))
            })
    }

    /// In words, for people.
    pub fn describe(&self) -> String {
        let ways = [
            (self.ways.token, "a token"),
            (self.ways.api_key, "an API key"),
            (self.ways.certificate, "a certificate"),
        ];
        let ways: Vec<&str> = ways
            .iter()
            .filter(|(is, _)| *is)
            .map(|(_, way)| *way)
            .collect();
        let mut said = if ways.is_empty() {
            String::from("nobody is asked who he is")
        } else {
            format!("a caller shows {}", ways.join(" or "))
        };
        if !self.scopes.is_empty() {
            said.push_str(&format!(" that is good for {}", self.scopes.join(" and ")));
        }
        for (name, values) in &self.claims {
            said.push_str(&format!(", `{name}` being {}", values.join(" or ")));
        }
        if !self.callers.is_empty() {
            said.push_str(&format!(", and is {}", self.callers.join(" or ")));
        }
        said
    }
}

fn fits(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => pattern == name,
    }
}

/// Whether a path is `/pkg.Service/Method` letter by letter. Servers differ in what they make of
/// any other, so that no rule can be relied on there.
pub fn is_plain(path: &str) -> bool {
    let mut parts = path.split('/');
    let (root, service, method) = (parts.next(), parts.next(), parts.next());
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    root == Some("")
        && parts.next().is_none()
        && service.is_some_and(|service| service.split('.').all(is_name))
        && method.is_some_and(is_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f15_only_the_very_path_of_a_method_is_plain() {
        for plain in ["/a.b.S/M", "/S/M", "/a_1.S/Get2"] {
            assert!(is_plain(plain), "{plain}");
        }
        for odd in [
            "", "/", "/S", "S/M", "//S/M", "/S//M", "/S/M/", "/S/%4D", "/S/../M", "/a..S/M",
            "/S/M;x", "/.S/M",
        ] {
            assert!(!is_plain(odd), "{odd}");
        }
    }

    #[test]
    fn callers_are_named_whole_or_by_their_beginning() {
        let access = Access {
            callers: vec!["alice".into(), "spiffe://a.test/ns/*".into()],
            ..Access::default()
        };
        for (name, admitted) in [
            ("alice", true),
            ("alice2", false),
            ("spiffe://a.test/ns/shop", true),
            ("spiffe://a.test.evil/ns/shop", false),
            ("", false),
        ] {
            assert_eq!(access.admits(&mut [name].into_iter()), admitted, "{name}");
        }
        assert!(Access::default().admits(&mut [].into_iter()));
    }
}
