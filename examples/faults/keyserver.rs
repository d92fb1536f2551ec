//! Keys of tokens, and the server that gives them away: it answers, closes at once, or sends without
//! an end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use data_encoding::BASE64URL_NOPAD;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::Result;

const GOOD: u8 = 0;
const AWAY: u8 = 1;
const HUGE: u8 = 2;

#[derive(Debug)]
pub(crate) struct KeyServer {
    pub(crate) address: SocketAddr,
    pair: EcdsaKeyPair,
    random: SystemRandom,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    keys: String,
    manner: AtomicU8,
    asked: AtomicUsize,
}

impl KeyServer {
    pub(crate) async fn start() -> Result<Self> {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let made = EcdsaKeyPair::generate_pkcs8(algorithm, &random);
        let made = made.map_err(|error| error.to_string())?;
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, made.as_ref(), &random);
        let pair = pair.map_err(|error| error.to_string())?;
        // An uncompressed point: 4, x, y.
        let point = pair.public_key().as_ref();
        let part = |range| {
            point
                .get(range)
                .map(|part: &[u8]| BASE64URL_NOPAD.encode(part))
        };
        let keys = json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": "one", "alg": "ES256",
            "x": part(1..33), "y": part(33..65)}]});
        let shared = Arc::new(Shared {
            keys: keys.to_string(),
            manner: AtomicU8::new(GOOD),
            asked: AtomicUsize::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let serving = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&serving);
                tokio::spawn(async move {
                    // Who asked may have gone.
                    drop(serve(stream, &shared).await);
                });
            }
        });
        Ok(Self {
            address,
            pair,
            random,
            shared,
        })
    }

    pub(crate) fn go_away(&self) {
        self.shared.manner.store(AWAY, Ordering::SeqCst);
    }

    pub(crate) fn be_huge(&self) {
        self.shared.manner.store(HUGE, Ordering::SeqCst);
    }

    /// How often it was asked.
    pub(crate) fn asked(&self) -> usize {
        self.shared.asked.load(Ordering::SeqCst)
    }

    /// A token with this head and these claims, signed as its head says.
    pub(crate) fn token(&self, head: &Value, claims: &Value) -> Result<String> {
        let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let text = format!("{}.{}", part(head), part(claims));
        let signature = match head["alg"].as_str() {
            Some("none") => Vec::new(),
            // The public key as if it were a secret: what confuses those who believe the head.
            Some("HS256") => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, self.shared.keys.as_bytes());
                hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
            }
            _ => {
                let signature = self.pair.sign(&self.random, text.as_bytes());
                signature
                    .map_err(|error| error.to_string())?
                    .as_ref()
                    .to_vec()
            }
        };
        Ok(format!("{text}.{}", BASE64URL_NOPAD.encode(&signature)))
    }
}

async fn serve(mut stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    shared.asked.fetch_add(1, Ordering::SeqCst);
    let manner = shared.manner.load(Ordering::SeqCst);
    if manner == AWAY {
        return Ok(());
    }
    let mut request = vec![0; 4096];
    let _length = stream.read(&mut request).await?;
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).await?;
    if manner == HUGE {
        stream.write_all(b"{\"keys\": [").await?;
        for _ in 0..1024 {
            stream.write_all(&[b' '; 64 << 10]).await?;
        }
        return Ok(());
    }
    stream.write_all(shared.keys.as_bytes()).await
}
