//! One certificate: an order, the proof that the name is ours, a key, the chain.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use instant_acme::{
    Account, AuthorizationHandle, AuthorizationStatus, ChallengeType, Error, Identifier, NewOrder,
    Order, OrderStatus, RetryPolicy,
};

use super::http01::{Answered, Tokens};
use crate::tls::{Challenges, Proof};

/// Where proofs are shown.
#[derive(Clone, Debug)]
pub(super) enum Proofs {
    Http(Tokens),
    TlsAlpn(Arc<Challenges>),
}

/// A proof that is shown until this is dropped.
#[derive(Debug)]
#[allow(dead_code, reason = "they are held for what their drop does")]
enum Shown {
    Http(Answered),
    TlsAlpn(Proof),
}

/// Why there is no certificate.
#[derive(Debug)]
pub(super) enum NoCertificate {
    /// It could not be asked for, or nobody answers.
    Away(Error),
    /// The authority says no.
    Refused(String),
    /// The account is one that it does not know, or no longer.
    NoAccount,
}

impl fmt::Display for NoCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Away(error) => write!(f, "{error}"),
            Self::Refused(why) => f.write_str(why),
            Self::NoAccount => f.write_str("the authority does not know the account"),
        }
    }
}

impl From<Error> for NoCertificate {
    fn from(error: Error) -> Self {
        const NO_ACCOUNT: &str = "urn:ietf:params:acme:error:accountDoesNotExist";
        match error {
            Error::Api(problem) if problem.r#type.as_deref() == Some(NO_ACCOUNT) => Self::NoAccount,
            Error::Api(problem) => Self::Refused(problem.to_string()),
            error => Self::Away(error),
        }
    }
}

/// How long the authority may take with each step.
fn patience() -> RetryPolicy {
    RetryPolicy::new()
        .initial_delay(Duration::from_millis(500))
        .backoff(1.5)
        .timeout(Duration::from_secs(180))
}

/// A new key and the chain for it, as PEM.
pub(super) async fn obtain(
    account: &Account,
    domain: &str,
    proofs: &Proofs,
) -> Result<String, NoCertificate> {
    let names = [Identifier::Dns(domain.to_owned())];
    let mut order = account.new_order(&NewOrder::new(&names)).await?;
    let shown = prove(&mut order, domain, proofs).await?;
    let status = order.poll_ready(&patience()).await?;
    drop(shown);
    if status == OrderStatus::Invalid {
        return Err(NoCertificate::Refused(why(&mut order).await));
    }
    let key = order.finalize().await?;
    let chain = order.poll_certificate(&patience()).await?;
    Ok(key + &chain)
}

/// Shows what the authority wants to see, and tells it to look.
async fn prove(
    order: &mut Order,
    domain: &str,
    proofs: &Proofs,
) -> Result<Vec<Shown>, NoCertificate> {
    let mut shown = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        match authorization.status {
            AuthorizationStatus::Valid => continue,
            AuthorizationStatus::Pending => {}
            AuthorizationStatus::Invalid
            | AuthorizationStatus::Revoked
            | AuthorizationStatus::Expired
            | AuthorizationStatus::Deactivated => {
                return Err(NoCertificate::Refused(reason(&authorization)));
            }
        }
        let kind = match proofs {
            Proofs::Http(_) => ChallengeType::Http01,
            Proofs::TlsAlpn(_) => ChallengeType::TlsAlpn01,
        };
        let Some(mut challenge) = authorization.challenge(kind) else {
            let message = "the authority does not offer this kind of challenge";
            return Err(NoCertificate::Refused(message.to_owned()));
        };
        let key = challenge.key_authorization();
        shown.push(match proofs {
            Proofs::Http(tokens) => Shown::Http(tokens.show(&challenge.token, key.as_str())),
            Proofs::TlsAlpn(challenges) => {
                let proof = challenges.prove(domain, key.digest().as_ref());
                let failed = |error: String| NoCertificate::Away(Error::Other(error.into()));
                Shown::TlsAlpn(proof.map_err(failed)?)
            }
        });
        challenge.set_ready().await?;
    }
    Ok(shown)
}

/// Why an order has become invalid, as far as the authority says it.
async fn why(order: &mut Order) -> String {
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        if authorization.refresh().await.is_ok()
            && authorization.status == AuthorizationStatus::Invalid
        {
            return reason(&authorization);
        }
    }
    "the authority does not say why".to_owned()
}

fn reason(authorization: &AuthorizationHandle<'_>) -> String {
    let mut errors = authorization
        .challenges
        .iter()
        .filter_map(|challenge| challenge.error.as_ref());
    errors.next().map_or_else(
        || "the authority does not say why".to_owned(),
        ToString::to_string,
    )
}
