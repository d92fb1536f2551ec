//! Who calls, and whether he may: tokens and certificates against what a method asks for.
//!
//! ```text
//! Access (what a method asks for) + headers, target and certificate of a call
//!     -> a Caller | a fault | keys that are not here yet
//! ```
//!
//! Nothing here does I/O or reads a clock: files are read by whoever resolves the configuration, and
//! keys that are published elsewhere are brought to their [`KeySet`] by somebody else.

mod api_key;
mod caller;
mod claims;
mod jwk;
mod places;
mod set;
#[cfg(test)]
mod tests;
mod token;

use std::sync::Arc;
use std::time::SystemTime;

use http::HeaderMap;

use crate::call::record::CallRecord;
use crate::call::{Blame, Code, Fault};
use crate::schema::access::Access;
pub use api_key::{ApiKeys, BadLine, MOST_BYTES as MOST_BYTES_OF_API_KEYS};
pub use caller::{Caller, is_own_header};
pub use jwk::{Keys, MOST_BYTES};
pub use places::Places;
pub use set::{KeySet, Remote, Waiting};
use token::{Token, Wrong};

/// Everything that callers are known by.
#[derive(Clone, Debug, Default)]
pub struct Auth {
    /// Who signs tokens.
    pub issuers: Vec<Issuer>,
    /// Those who have a key of their own.
    pub api_keys: Arc<ApiKeys>,
    /// Where tokens and keys are found.
    pub places: Places,
    /// Whether the application gets the tokens too.
    pub forwards_tokens: bool,
}

/// Somebody who signs tokens.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// What the configuration calls it.
    pub name: Arc<str>,
    /// What its tokens say in `iss`; anything if `None`.
    pub iss: Option<Box<str>>,
    /// What its tokens have to be meant for, one of these; anything if empty.
    pub audiences: Vec<Box<str>>,
    /// How far clocks may differ, in seconds.
    pub leeway: u64,
    /// Headers that tell the application what a token claims.
    pub headers: Vec<(http::HeaderName, Box<str>)>,
    /// Its keys.
    pub keys: Arc<KeySet>,
}

/// What becomes of a caller.
#[derive(Debug)]
pub enum Verdict {
    /// He may call.
    Admitted(Caller),
    /// He may not.
    Refused(Fault),
    /// The key of his token is not known; it may be in a while.
    Unknown(Arc<KeySet>),
}

impl Auth {
    /// Whether keys are published elsewhere, and where.
    pub fn remotes(&self) -> impl Iterator<Item = &Arc<KeySet>> {
        let sets = self.issuers.iter().map(|issuer| &issuer.keys);
        sets.filter(|keys| keys.remote().is_some())
    }

    /// The same, with the keys that are known already of those places that have not changed.
    #[must_use]
    pub fn inheriting(mut self, before: &Self) -> Self {
        for issuer in &mut self.issuers {
            let same = |set: &&Arc<KeySet>| set.remote() == issuer.keys.remote();
            if let Some(known) = before.remotes().find(same) {
                issuer.keys = Arc::clone(known);
            }
        }
        self
    }

    /// Looks at who calls, at `now`.
    pub fn look(
        &self,
        access: &Access,
        headers: &HeaderMap,
        record: &CallRecord,
        now: SystemTime,
    ) -> Verdict {
        match self.judge(access, headers, record, now) {
            Ok(caller) => Verdict::Admitted(caller),
            Err(verdict) => *verdict,
        }
    }

    fn judge(
        &self,
        access: &Access,
        headers: &HeaderMap,
        record: &CallRecord,
        now: SystemTime,
    ) -> Result<Caller, Box<Verdict>> {
        let refused = |fault| Box::new(Verdict::Refused(fault));
        let nothing = serde_json::Map::new();
        if access.ways.token {
            let found = self.places.token(headers, record);
            if let Some(text) = found.map_err(|wrong| refused(bad_token(&wrong)))? {
                let caller = self.by_token(access, text, now)?;
                return admit(access, caller).map_err(refused);
            }
        }
        if access.ways.api_key
            && let Some(key) = self.places.api_key(headers, record)
        {
            let owner = self.api_keys.owner(key).ok_or_else(|| refused(bad_key()))?;
            let held: Vec<&str> = owner.scopes.iter().map(|scope| &**scope).collect();
            claims::satisfy(&held, &nothing, access).map_err(refused)?;
            return admit(access, Caller::by_api_key(owner)).map_err(refused);
        }
        if let Some(client) = &record.peer.client
            && access.ways.certificate
        {
            claims::satisfy(&[], &nothing, access).map_err(refused)?;
            return admit(access, Caller::by_certificate(client)).map_err(refused);
        }
        Err(refused(nobody(access)))
    }

    fn by_token(
        &self,
        access: &Access,
        text: &str,
        now: SystemTime,
    ) -> Result<Caller, Box<Verdict>> {
        let refused = |wrong: Wrong| Box::new(Verdict::Refused(bad_token(&wrong)));
        let token = Token::parse(text).map_err(refused)?;
        let iss = token.issuer();
        let mut issuers = self.issuers.iter();
        let issuer = issuers
            .find(|issuer| issuer.iss.is_none() || issuer.iss.as_deref() == iss)
            .ok_or_else(|| refused(Wrong::Issuer))?;
        let keys = issuer.keys.keys();
        match token.verify(&keys) {
            Ok(()) => {}
            Err(Wrong::UnknownKey) => {
                return Err(Box::new(Verdict::Unknown(Arc::clone(&issuer.keys))));
            }
            Err(wrong) => return Err(refused(wrong)),
        }
        claims::check(token.claims(), issuer, now).map_err(refused)?;
        let held: Vec<&str> = claims::scopes(token.claims()).collect();
        claims::satisfy(&held, token.claims(), access)
            .map_err(|fault| Box::new(Verdict::Refused(fault)))?;
        Ok(Caller::by_token(token.claims(), issuer))
    }

    /// The fault of a token whose key is not known, and will not be for a while.
    pub fn unknown_key() -> Fault {
        bad_token(&Wrong::UnknownKey)
    }
}

fn admit(access: &Access, caller: Caller) -> Result<Caller, Fault> {
    if access.admits(&mut caller.names()) {
        return Ok(caller);
    }
    Err(Fault::new(
        Blame::Client,
        Code::PermissionDenied,
        "CALLER_REFUSED",
        "this caller may not call this method",
    )
    .with_cause(format!("the caller is {}", caller.name())))
}

fn nobody(access: &Access) -> Fault {
    let (message, challenge) = match (access.ways.token, access.ways.api_key) {
        (true, true) => ("a token or an API key is needed", "Bearer, ApiKey"),
        (true, false) => ("a token is needed", "Bearer"),
        (false, true) => ("an API key is needed", "ApiKey"),
        (false, false) => ("a client certificate is needed", "Mutual"),
    };
    unauthenticated("NO_CREDENTIALS", message).with_allow(challenge)
}

fn bad_key() -> Fault {
    unauthenticated("BAD_API_KEY", "the API key is not known").with_allow("ApiKey")
}

fn bad_token(wrong: &Wrong) -> Fault {
    let message = wrong.to_string();
    unauthenticated(wrong.reason(), message.clone()).with_allow(format!(
        "Bearer error=\"invalid_token\", error_description=\"{message}\""
    ))
}

fn unauthenticated(
    reason: &'static str,
    message: impl Into<std::borrow::Cow<'static, str>>,
) -> Fault {
    Fault::new(Blame::Client, Code::Unauthenticated, reason, message)
}
