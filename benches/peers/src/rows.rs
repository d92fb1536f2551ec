//! The rows of the tables, and whether the answers of the gateways agree.

use std::net::SocketAddr;

use serde_json::Value;

use crate::Result;
use crate::fixtures::{Fixture, Fixtures};
use crate::fronts;
use crate::load::{Connection, Stub, Target};
use crate::peer::{Ability, Kind, Peer};

/// A row that is measured under load.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// As on the command line; several rows may have the same.
    pub name: &'static str,
    /// As in the table.
    pub title: &'static str,
    /// Which call.
    pub fixture: &'static str,
    /// What it asks of a gateway.
    pub ability: Ability,
    /// Calls in one round.
    pub calls: usize,
}

/// All of them, in order.
pub const ROWS: &[Row] = &[
    row("small", "GET, 156 B", "small", Ability::Unary, 10_000),
    row("part", "GET, 600 B", "part", Ability::Unary, 10_000),
    row("item", "GET, 2 KB", "item", Ability::Unary, 6_000),
    row("post", "POST, 700 B", "post", Ability::Unary, 10_000),
    row("list", "list, 41 KB", "list41", Ability::Unary, 600),
    row("list", "list, 69 KB", "list69", Ability::Unary, 400),
    row(
        "stream",
        "stream of 1,000 messages, per message",
        "stream",
        Ability::Stream,
        40,
    ),
    row("blob", "download, 1 MB", "blob", Ability::Download, 200),
    row(
        "grpc",
        "gRPC unary, 156 B",
        "small",
        Ability::Passthrough,
        10_000,
    ),
    row(
        "grpc",
        "gRPC unary, 69 KB",
        "list69",
        Ability::Passthrough,
        1_000,
    ),
    row(
        "grpc-stream",
        "gRPC stream of 1,000, per message",
        "stream",
        Ability::Passthrough,
        60,
    ),
    row(
        "web",
        "gRPC-Web unary, 156 B",
        "small",
        Ability::GrpcWeb,
        10_000,
    ),
    row(
        "web",
        "gRPC-Web stream of 1,000, per message",
        "stream",
        Ability::GrpcWeb,
        60,
    ),
    row(
        "connect",
        "Connect unary in protobuf, 156 B",
        "small",
        Ability::Connect,
        10_000,
    ),
    row(
        "connect",
        "Connect unary in JSON, 156 B",
        "small",
        Ability::ConnectJson,
        10_000,
    ),
    row(
        "connect",
        "Connect stream of 1,000 in protobuf, per message",
        "stream",
        Ability::Connect,
        60,
    ),
    row(
        "connect",
        "Connect stream of 1,000 in JSON, per message",
        "stream",
        Ability::ConnectJson,
        40,
    ),
];

const fn row(
    name: &'static str,
    title: &'static str,
    fixture: &'static str,
    ability: Ability,
    calls: usize,
) -> Row {
    Row {
        name,
        title,
        fixture,
        ability,
        calls,
    }
}

impl Row {
    /// What one call counts as: a stream as its messages.
    pub fn units(&self, fixtures: &Fixtures) -> usize {
        fixtures.get(self.fixture).streamed.unwrap_or(1)
    }

    /// Calls the gateway once, checks the answer, and gives the target for more of the same.
    pub async fn check(&self, peer: &Peer, fixtures: &Fixtures) -> Result<Target> {
        let fixture = fixtures.get(self.fixture);
        let checked = match self.ability {
            Ability::Passthrough => check_grpc(peer.grpc, fixture).await,
            ability @ (Ability::GrpcWeb | Ability::Connect | Ability::ConnectJson) => {
                fronts::check(peer, ability, fixture, fixtures).await
            }
            _ => check_rest(peer, fixture).await,
        };
        checked.map_err(|error| format!("{}, {}: {error}", peer.kind.name(), self.title).into())
    }
}

/// gRPC's bytes have to be the fixture's.
pub async fn check_grpc(address: SocketAddr, fixture: &Fixture) -> Result<Target> {
    let target = Target::grpc(address, fixture);
    let mut stub = Stub::open(address).await?;
    let request = crate::frame::framed(&fixture.request);
    let got = stub.ask(fixture.rpc, &request).await?;
    let one = crate::frame::framed(&fixture.answer);
    let wanted = one.repeat(fixture.streamed.unwrap_or(1));
    if got == wanted {
        return Ok(target);
    }
    let same = got.iter().zip(&wanted).take_while(|(a, b)| a == b).count();
    Err(format!(
        "{} bytes instead of the application's {}; the first {same} agree",
        got.len(),
        wanted.len()
    )
    .into())
}

async fn check_rest(peer: &Peer, fixture: &Fixture) -> Result<Target> {
    let mut target = Target::rest(peer.http, fixture, 0);
    let crate::load::Call::Rest(request) = &target.call else {
        return Err("a REST call that is none".into());
    };
    let answer = Connection::open(peer.http).await?.ask(request).await?;
    let text = || String::from_utf8_lossy(&answer.body[..answer.body.len().min(300)]).into_owned();
    if answer.status != 200 {
        return Err(format!("status {}: {}", answer.status, text()).into());
    }
    let good = match (fixture.streamed, fixture.is_blob()) {
        (Some(count), _) => lines_agree(peer.kind, &answer.body, fixture, count)?,
        (None, true) => answer.body == fixture.json,
        (None, false) => same(
            &serde_json::from_slice(&answer.body)?,
            &serde_json::from_slice(&fixture.json)?,
        ),
    };
    if !good {
        return Err(format!("another answer than the fixture's: {}", text()).into());
    }
    target.length = answer.body.len();
    Ok(target)
}

/// A line for each message; grpc-gateway wraps each in a `result`.
fn lines_agree(kind: Kind, body: &[u8], fixture: &Fixture, count: usize) -> Result<bool> {
    let wanted: Value = serde_json::from_slice(&fixture.json)?;
    let mut lines = 0;
    for line in body
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        let mut value: Value = serde_json::from_slice(line)?;
        if kind == Kind::GrpcGateway {
            value = value["result"].take();
        }
        if !same(&value, &wanted) {
            return Ok(false);
        }
        lines += 1;
    }
    Ok(lines == count)
}

/// Equal as JSON, where `13` and `13.0` are one number.
pub fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.as_f64() == right.as_f64(),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right)
                    .all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(key, left)| right.get(key).is_some_and(|right| same(left, right)))
        }
        _ => left == right,
    }
}
