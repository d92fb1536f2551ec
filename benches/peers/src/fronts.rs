//! gRPC-Web and Connect over HTTP/1.1: what is sent, and which answers are good.

use prost_reflect::DynamicMessage;
use serde_json::Value;

use crate::Result;
use crate::fixtures::{Fixture, Fixtures};
use crate::frame::framed;
use crate::load::{Connection, Target, post};
use crate::peer::{Ability, Peer};
use crate::rows::same;

/// Before a message stand a flag and four bytes of its length.
const PREFIX: usize = 5;
const TRAILERS: u8 = 0x80;
const END_STREAM: u8 = 2;

/// Calls once, compares the answer with the fixture, and gives the target for more of the same.
pub async fn check(
    peer: &Peer,
    ability: Ability,
    fixture: &Fixture,
    fixtures: &Fixtures,
) -> Result<Target> {
    let lines = headers(ability, fixture.streamed.is_some());
    let body = body(ability, fixture, fixtures)?;
    let request = post(peer.fronts, fixture.rpc, &lines, &body);
    let answer = Connection::open(peer.fronts).await?.ask(&request).await?;
    let good = answer.status == 200 && agrees(ability, fixture, &answer.body)?;
    if !good {
        let shown = &answer.body[..answer.body.len().min(300)];
        let shown = String::from_utf8_lossy(shown);
        return Err(format!("status {}, and not the fixture: {shown}", answer.status).into());
    }
    Ok(Target::http(peer.fronts, request, answer.body.len()))
}

fn headers(ability: Ability, streamed: bool) -> String {
    let (content_type, more) = match (ability, streamed) {
        (Ability::ConnectJson, false) => ("application/json", "connect-protocol-version: 1\r\n"),
        (Ability::ConnectJson, true) => (
            "application/connect+json",
            "connect-protocol-version: 1\r\n",
        ),
        (Ability::Connect, false) => ("application/proto", "connect-protocol-version: 1\r\n"),
        (Ability::Connect, true) => (
            "application/connect+proto",
            "connect-protocol-version: 1\r\n",
        ),
        _ => ("application/grpc-web+proto", "x-grpc-web: 1\r\n"),
    };
    format!("content-type: {content_type}\r\n{more}")
}

fn body(ability: Ability, fixture: &Fixture, fixtures: &Fixtures) -> Result<Vec<u8>> {
    let message = match ability {
        Ability::ConnectJson => json(fixture, fixtures)?,
        _ => fixture.request.to_vec(),
    };
    let bare = ability != Ability::GrpcWeb && fixture.streamed.is_none();
    Ok(if bare {
        message
    } else {
        framed(&message).to_vec()
    })
}

/// The request of a fixture as JSON.
fn json(fixture: &Fixture, fixtures: &Fixtures) -> Result<Vec<u8>> {
    let service = fixtures.pool.get_service_by_name("yard.v1.Yard");
    let method = service.and_then(|service| {
        service
            .methods()
            .find(|method| fixture.rpc.ends_with(method.name()))
    });
    let input = method.ok_or("no such method")?.input();
    let message = DynamicMessage::decode(input, fixture.request.clone())?;
    Ok(serde_json::to_vec(&message)?)
}

fn agrees(ability: Ability, fixture: &Fixture, body: &[u8]) -> Result<bool> {
    if ability != Ability::GrpcWeb && fixture.streamed.is_none() {
        return means(ability, fixture, body);
    }
    let mut rest = body;
    for _ in 0..fixture.streamed.unwrap_or(1) {
        let (flag, message, after) = envelope(rest)?;
        if flag != 0 || !means(ability, fixture, message)? {
            return Ok(false);
        }
        rest = after;
    }
    let (flag, end, after) = envelope(rest)?;
    // Names of trailers are written with capitals by some.
    let end = String::from_utf8_lossy(end)
        .to_ascii_lowercase()
        .replace(": ", ":");
    let fine = match ability {
        Ability::GrpcWeb => flag == TRAILERS && end.contains("grpc-status:0"),
        _ => flag == END_STREAM && !end.contains("\"error\""),
    };
    Ok(fine && after.is_empty())
}

/// Whether a message is the fixture's answer.
fn means(ability: Ability, fixture: &Fixture, message: &[u8]) -> Result<bool> {
    if ability != Ability::ConnectJson {
        return Ok(message == fixture.answer);
    }
    let got: Value = serde_json::from_slice(message)?;
    Ok(same(&got, &serde_json::from_slice(&fixture.json)?))
}

/// Flag, message and what follows.
fn envelope(bytes: &[u8]) -> Result<(u8, &[u8], &[u8])> {
    let cut = || "an envelope is cut short";
    let (prefix, rest) = bytes.split_at_checked(PREFIX).ok_or_else(cut)?;
    let length = u32::from_be_bytes(prefix[1..].try_into()?) as usize;
    let (message, after) = rest.split_at_checked(length).ok_or_else(cut)?;
    Ok((prefix[0], message, after))
}
