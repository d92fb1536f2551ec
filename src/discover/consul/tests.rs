//! Consul as its documentation has it, in a few lines: no agent is installed for this.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};

use super::*;
use crate::discover::{Own, Told, Update};
use crate::life::task::{self, Task, TaskSet};

/// An agent that stands in for a real one.
struct Agent {
    params: Params,
    state: Rc<State>,
    _task: Task<()>,
}

#[derive(Default)]
struct State {
    /// What `/v1/health/service` answers, and the index of that.
    healthy: RefCell<(Vec<Value>, u64)>,
    /// Services by their id, as they were registered; whether the check was passed since.
    services: RefCell<BTreeMap<String, (Value, u32)>>,
    asked: RefCell<Vec<String>>,
    tokens: RefCell<Vec<String>>,
    /// What is answered to everything, if the agent is not well.
    broken: RefCell<Option<u16>>,
    changed: Notify,
}

impl Agent {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Rc::new(State::default());
        state.healthy.borrow_mut().1 = 7;
        let serving = Rc::clone(&state);
        let task = task::spawn_local("agent", async move {
            let connections = TaskSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn_local("connection", exchange(stream, Rc::clone(&serving)));
            }
        });
        Self {
            params: Params {
                agent: Place::tcp("127.0.0.1", port),
                token: None,
            },
            state,
            _task: task,
        }
    }

    fn set(&self, healthy: &[Value], index: u64) {
        *self.state.healthy.borrow_mut() = (healthy.to_vec(), index);
        self.state.changed.notify_waiters();
    }
}

async fn exchange(mut stream: TcpStream, state: Rc<State>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let header = |name: &str| {
        let mut lines = head.lines().skip(1);
        lines.find_map(|line| line.strip_prefix(&format!("{name}: ")).map(str::to_owned))
    };
    let length = header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    let first = head.lines().next().unwrap();
    let asked = first.strip_suffix(" HTTP/1.1").unwrap().to_owned();
    state.asked.borrow_mut().push(asked.clone());
    state.tokens.borrow_mut().extend(header("x-consul-token"));
    let (status, index, answer) = answer(&asked, &body, &state).await;
    let answer = format!(
        "HTTP/1.1 {status} -\r\nx-consul-index: {index}\r\ncontent-length: {}\r\n\r\n{answer}",
        answer.len()
    );
    // Whoever asked may have gone.
    drop(stream.write_all(answer.as_bytes()).await);
}

async fn answer(asked: &str, body: &[u8], state: &State) -> (u16, u64, String) {
    if let Some(status) = *state.broken.borrow() {
        return (status, 0, String::from("No cluster leader"));
    }
    let (method, path) = asked.split_once(' ').unwrap();
    if method == "GET" {
        let query = path.split_once('?').unwrap().1;
        let index = query
            .split('&')
            .find_map(|part| part.strip_prefix("index="));
        let index: u64 = index.map_or(0, |index| index.parse().unwrap());
        while index == state.healthy.borrow().1 {
            state.changed.notified().await;
        }
        let (healthy, index) = state.healthy.borrow().clone();
        return (200, index, Value::from(healthy).to_string());
    }
    let mut services = state.services.borrow_mut();
    if path == "/v1/agent/service/register" {
        let service: Value = serde_json::from_slice(body).unwrap();
        services.insert(service["ID"].as_str().unwrap().to_owned(), (service, 0));
    } else if let Some(id) = path.strip_prefix("/v1/agent/check/pass/service%3A") {
        match services.get_mut(id) {
            Some((_, passed)) => *passed += 1,
            None => return (404, 0, format!("Unknown check ID \"service:{id}\"")),
        }
    } else if let Some(id) = path.strip_prefix("/v1/agent/service/deregister/") {
        services.remove(id);
    } else {
        return (400, 0, String::from("what?"));
    }
    (200, 0, String::new())
}

fn place(address: &str, port: u16, weight: u32) -> Value {
    json!({
        "Node": { "Node": "n", "Address": "10.0.0.9" },
        "Service": {
            "ID": "app-1", "Service": "app", "Tags": ["v1"], "Address": address, "Port": port,
            "Meta": { "zone": "a" }, "Weights": { "Passing": weight, "Warning": 1 },
        },
        "Checks": [{ "Status": "passing" }],
    })
}

fn service() -> Service {
    Service {
        name: String::from("app"),
        tag: Some(String::from("v 1")),
        datacenter: None,
    }
}

fn following(agent: &Agent) -> (mpsc::Receiver<String>, Task<()>) {
    let (sender, told) = mpsc::channel(64);
    let params = agent.params.clone();
    let task = task::spawn_local("following", async move {
        let mut tell = |update: Update| {
            let words = match update {
                Update::Found(found) => {
                    let all = found
                        .iter()
                        .map(|one| format!("{}*{}", one.place, one.weight));
                    all.collect::<Vec<_>>().join(" ")
                }
                Update::Failed(why) => format!("failed: {why}"),
            };
            drop(sender.try_send(words));
        };
        follow(&service(), &params, &mut tell).await;
    });
    (told, task)
}

async fn next(told: &mut mpsc::Receiver<String>) -> String {
    let next = tokio::time::timeout(Duration::from_secs(60), told.recv()).await;
    next.expect("a word").expect("somebody who speaks")
}

#[tokio::test(flavor = "local")]
async fn places_come_and_go_with_what_is_different() {
    let agent = Agent::start().await;
    let (mut told, _task) = following(&agent);
    assert_eq!(next(&mut told).await, "");
    agent.set(&[place("10.0.0.1", 1, 3), place("", 2, 1)], 8);
    assert_eq!(next(&mut told).await, "10.0.0.1:1*3 10.0.0.9:2*1");
    agent.set(&[place("10.0.0.1", 1, 1)], 9);
    assert_eq!(next(&mut told).await, "10.0.0.1:1*1");
    let asked = agent.state.asked.borrow().clone();
    assert_eq!(
        asked[0],
        "GET /v1/health/service/app?passing=true&tag=v%201"
    );
    assert_eq!(
        asked[1],
        "GET /v1/health/service/app?passing=true&tag=v%201&index=7&wait=60s"
    );
}

/// An agent that begins anew counts from the beginning.
#[tokio::test(flavor = "local")]
async fn an_index_that_goes_back_is_begun_anew() {
    let agent = Agent::start().await;
    agent.set(&[place("10.0.0.1", 1, 1)], 700);
    let (mut told, _task) = following(&agent);
    assert_eq!(next(&mut told).await, "10.0.0.1:1*1");
    agent.set(&[place("10.0.0.2", 1, 1)], 3);
    assert_eq!(next(&mut told).await, "10.0.0.2:1*1");
    // Asked without an index, it answers at once.
    assert_eq!(next(&mut told).await, "10.0.0.2:1*1");
    agent.set(&[place("10.0.0.3", 1, 1)], 4);
    assert_eq!(next(&mut told).await, "10.0.0.3:1*1");
}

/// Fault 38: what fails is told, and everything is found again afterwards.
#[tokio::test(flavor = "local")]
async fn an_agent_that_is_not_well_is_asked_again() {
    let agent = Agent::start().await;
    agent.state.broken.replace(Some(500));
    let (mut told, _task) = following(&agent);
    let said = "failed: Consul answers 500 Internal Server Error: No cluster leader";
    assert_eq!(next(&mut told).await, said);
    agent.state.broken.replace(None);
    agent.set(&[place("10.0.0.1", 1, 1)], 8);
    while next(&mut told).await != "10.0.0.1:1*1" {}
}

fn own() -> Own {
    Own {
        address: Place::parse("10.0.0.5:8081"),
        listen: ([0, 0, 0, 0], 8081).into(),
        metadata: Some(json!({"version": "7"})),
        ttl: Duration::from_millis(600),
    }
}

/// Registered, kept passing, registered anew by an agent that has forgotten it, and taken away.
#[tokio::test(flavor = "local")]
async fn our_own_place_is_kept_and_taken_away() {
    let agent = Agent::start().await;
    let token = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(token.path(), "the-token\n").unwrap();
    let params = Params {
        token: Some(token.path().to_owned()),
        ..agent.params.clone()
    };
    let (sender, mut told) = mpsc::channel(64);
    let stop = Rc::new(Notify::new());
    let stopped = Rc::clone(&stop);
    let _task = task::spawn_local("registering", async move {
        let mut tell = |told| drop(sender.try_send(told));
        register("app", &own(), &params, stopped.notified(), &mut tell).await;
    });
    let id = String::from("app-10.0.0.5-8081");
    assert_eq!(told.recv().await, Some(Told::Registered(id.clone())));
    let service = agent.state.services.borrow()[&id].0.clone();
    assert_eq!(
        service,
        json!({
            "ID": id, "Name": "app", "Address": "10.0.0.5", "Port": 8081,
            "Meta": {"version": "7"},
            "Check": {
                "TTL": "1s", "Status": "passing", "DeregisterCriticalServiceAfter": "60s",
            },
        })
    );
    assert_eq!(told.recv().await, Some(Told::Kept));
    assert_eq!(agent.state.services.borrow()[&id].1, 1);

    agent.state.services.borrow_mut().clear();
    while told.recv().await != Some(Told::Registered(id.clone())) {}
    stop.notify_one();
    while told.recv().await != Some(Told::Withdrawn) {}
    assert!(agent.state.services.borrow().is_empty());
    assert_eq!(agent.state.tokens.borrow()[0], "the-token");
}
