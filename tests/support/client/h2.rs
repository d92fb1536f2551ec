//! The HTTP/2 client: prior knowledge, one stream.

use std::net::SocketAddr;

use bytes::Bytes;
use h2::SendStream;
use h2::client::SendRequest;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::{Answer, BodyStep, End, Request};

pub(super) async fn exchange(
    stream: TcpStream,
    gateway: SocketAddr,
    request: &Request,
    progress: &watch::Sender<Vec<u8>>,
) -> Result<Answer, String> {
    let mut builder = h2::client::Builder::new();
    builder.max_header_list_size(1 << 20);
    let (mut sender, connection) = builder
        .handshake::<_, Bytes>(stream)
        .await
        .map_err(|error| format!("no HTTP/2 connection: {error}"))?;
    let driver = tokio::spawn(connection);
    let (head, trailing) = head_of(gateway, request)?;
    let (answer, mut body) = sender
        .send_request(head, trailing)
        .map_err(|error| format!("the request was not taken: {error}"))?;
    let sending = async {
        if !trailing {
            send_body(&mut body, request, progress).await;
        }
        if request.has(|step| matches!(step, BodyStep::KeepOpen)) {
            std::future::pending::<()>().await;
        }
    };
    let leaves = request.has(|step| matches!(step, BodyStep::Leave));
    let receiving = receive(answer, progress);
    let result = if leaves {
        tokio::select! {
            () = sending => Ok(Answer { end: End::Left, ..Answer::default() }),
            received = receiving => received,
        }
    } else {
        // The answer may be complete before the request is.
        tokio::pin!(receiving);
        tokio::select! {
            received = &mut receiving => received,
            () = sending => receiving.await,
        }
    };
    let result = match result {
        Ok(answer)
            if answer.end == End::Clean && request.has(|step| matches!(step, BodyStep::Again)) =>
        {
            Ok(super::kept(
                answer,
                ask_again(sender.clone(), gateway).await,
            ))
        }
        result => result,
    };
    drop((sender, body));
    if leaves {
        // The connection sends the reset and ends by itself once nobody uses it.
        let _ = driver.await;
    } else {
        driver.abort();
    }
    result
}

/// The status of the answer to one more request.
async fn ask_again(sender: SendRequest<Bytes>, gateway: SocketAddr) -> Result<u16, String> {
    let told = |error: h2::Error| error.to_string();
    let request = http::Request::get(format!("http://{gateway}{}", super::AGAIN));
    let request = request.body(()).map_err(|error| error.to_string())?;
    let mut sender = sender.ready().await.map_err(told)?;
    let (answer, _) = sender.send_request(request, true).map_err(told)?;
    Ok(answer.await.map_err(told)?.status().as_u16())
}

fn head_of(gateway: SocketAddr, request: &Request) -> Result<(http::Request<()>, bool), String> {
    let host = request
        .headers
        .iter()
        .find(|(name, _)| name == "host")
        .map_or_else(|| gateway.to_string(), |(_, value)| value.clone());
    let uri = http::Uri::builder()
        .scheme("http")
        .authority(host)
        .path_and_query(request.target.as_str())
        .build()
        .map_err(|error| format!("{:?} is no target for HTTP/2: {error}", request.target))?;
    let mut head = http::Request::builder()
        .method(request.method.as_str())
        .uri(uri);
    for (name, value) in &request.headers {
        if name != "host" {
            head = head.header(name, value);
        }
    }
    let head = head.body(()).map_err(|error| format!("no head: {error}"))?;
    let bodiless = matches!(request.body.as_slice(), [] | [BodyStep::Again]);
    Ok((head, bodiless))
}

async fn send_body(
    body: &mut SendStream<Bytes>,
    request: &Request,
    progress: &watch::Sender<Vec<u8>>,
) {
    let steps = &request.body;
    let last_send = steps
        .iter()
        .rposition(|step| matches!(step, BodyStep::Send(_)));
    let stays_open = steps
        .iter()
        .any(|step| matches!(step, BodyStep::KeepOpen | BodyStep::Leave));
    let count = steps.len() - usize::from(matches!(steps.last(), Some(BodyStep::Again)));
    for (at, step) in steps.iter().enumerate() {
        match step {
            BodyStep::Send(bytes) => {
                let ends = !stays_open && at + 1 == count && last_send == Some(at);
                if body.send_data(bytes.clone(), ends).is_err() || ends {
                    return;
                }
            }
            BodyStep::Read(text) => super::wait_for_text(progress, text).await,
            BodyStep::AppHas(count) => super::wait_for_app(&request.stage, *count).await,
            BodyStep::End => {
                let _ = body.send_data(Bytes::new(), true);
            }
            BodyStep::Leave => {
                body.send_reset(h2::Reason::CANCEL);
                return;
            }
            BodyStep::KeepOpen => return,
            BodyStep::Again => {}
        }
    }
    if !steps.iter().any(|step| matches!(step, BodyStep::End)) {
        let _ = body.send_data(Bytes::new(), true);
    }
}

async fn receive(
    answer: h2::client::ResponseFuture,
    progress: &watch::Sender<Vec<u8>>,
) -> Result<Answer, String> {
    let response = match answer.await {
        Ok(response) => response,
        Err(error) => {
            return Ok(Answer {
                end: End::Broken(error.to_string()),
                ..Answer::default()
            });
        }
    };
    let (head, mut body) = response.into_parts();
    let mut answer = Answer {
        status: head.status.as_u16(),
        headers: head.headers,
        ..Answer::default()
    };
    while let Some(data) = body.data().await {
        match data {
            Ok(data) => {
                let _ = body.flow_control().release_capacity(data.len());
                if !data.is_empty() {
                    progress.send_modify(|all| all.extend_from_slice(&data));
                    answer.chunks.push(data);
                }
            }
            Err(error) => {
                answer.end = End::Broken(error.to_string());
                return Ok(answer);
            }
        }
    }
    match body.trailers().await {
        Ok(trailers) => answer.trailers = trailers.unwrap_or_default(),
        Err(error) => answer.end = End::Broken(error.to_string()),
    }
    Ok(answer)
}
