//! [`Scrape`]: the application's own metrics, asked for when somebody asks for the gateway's.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::http::{NoAnswer, Place, exchange, within};

/// Where the application shows its metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Params {
    /// Where it listens.
    pub place: Place,
    /// The path and query.
    pub path: String,
}

/// The most of a page that is taken.
const LIMIT: usize = 4 << 20;

/// How long the application may take: the gateway's own page has to come soon, whatever becomes of
/// the application's.
const PATIENCE: Duration = Duration::from_millis(500);

/// Who asks within this time gets the same page.
const FRESH: Duration = Duration::from_millis(500);

/// What the application said last.
#[derive(Clone, Debug, Default)]
pub struct Scraped {
    /// Its page, in the text format; empty when there never was one.
    pub text: Arc<str>,
    /// Whether it answered this time.
    pub up: bool,
    /// How old the page is.
    pub age: Duration,
}

/// Asks the application.
pub struct Scrape {
    params: Params,
    /// Held while the application is asked, so that it is asked once at a time.
    last: Mutex<Last>,
}

#[derive(Default)]
struct Last {
    text: Arc<str>,
    up: bool,
    /// When the page came.
    taken: Option<Instant>,
    asked: Option<Instant>,
}

impl Scrape {
    /// Nothing is asked yet.
    pub fn new(params: Params) -> Self {
        Self {
            params,
            last: Mutex::new(Last::default()),
        }
    }

    /// The application's page, or the one that came last.
    pub async fn page(&self) -> Scraped {
        let mut last = self.last.lock().await;
        let now = Instant::now();
        if last
            .asked
            .is_none_or(|asked| now.duration_since(asked) >= FRESH)
        {
            match within(PATIENCE, Box::pin(self.ask())).await {
                Ok(text) => {
                    last.text = text;
                    last.taken = Some(Instant::now());
                    last.up = true;
                }
                Err(error) => {
                    if last.up || last.asked.is_none() {
                        tracing::warn!(%error, metrics = %self.params, "the application's metrics cannot be had");
                    }
                    last.up = false;
                }
            }
            last.asked = Some(Instant::now());
        }
        Scraped {
            text: Arc::clone(&last.text),
            up: last.up,
            age: last.taken.map(|taken| taken.elapsed()).unwrap_or_default(),
        }
    }

    async fn ask(&self) -> Result<Arc<str>, NoAnswer> {
        let request = Request::get(&self.params.path)
            .header("host", self.params.place.authority())
            .header("accept", "text/plain;version=0.0.4, */*;q=0.1")
            .header(
                "user-agent",
                concat!("sidegate/", env!("CARGO_PKG_VERSION")),
            )
            .body(Full::new(Bytes::new()))
            .map_err(NoAnswer::new)?;
        let answer = exchange(&self.params.place, request, LIMIT).await?;
        if !answer.status().is_success() {
            return Err(NoAnswer::new(format_args!(
                "HTTP {}",
                answer.status().as_u16()
            )));
        }
        let text = str::from_utf8(answer.body()).map_err(NoAnswer::new)?;
        Ok(text.into())
    }
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.place.authority(), self.path)
    }
}

impl fmt::Debug for Scrape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scrape")
            .field("params", &self.params)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::time::advance;

    use super::*;

    fn scrape(address: SocketAddr) -> Scrape {
        let place = Place {
            host: address.ip().to_string(),
            port: address.port(),
        };
        Scrape::new(Params {
            place,
            path: "/metrics".to_owned(),
        })
    }

    /// Answers once, and says what was asked.
    async fn answer(listener: &TcpListener, text: &str) -> String {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = vec![0; 4096];
        let count = stream.read(&mut asked).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        asked.truncate(count);
        String::from_utf8(asked).unwrap()
    }

    #[tokio::test]
    async fn the_last_page_stays_when_the_application_does_not_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scrape = scrape(listener.local_addr().unwrap());
        let page = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\na 1\n";
        let (asked, scraped) = tokio::join!(answer(&listener, page), scrape.page());
        assert!(asked.starts_with("GET /metrics HTTP/1.1\r\n"), "{asked}");
        assert_eq!((&*scraped.text, scraped.up), ("a 1\n", true));
        // Nobody answers now, and nobody is asked.
        assert!(scrape.page().await.up);

        scrape.last.lock().await.asked = None;
        let failed = "HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n";
        let (_, scraped) = tokio::join!(answer(&listener, failed), scrape.page());
        assert_eq!((&*scraped.text, scraped.up), ("a 1\n", false));

        tokio::time::pause();
        advance(FRESH).await;
        let began = Instant::now();
        // It accepts and says nothing.
        let scraped = scrape.page().await;
        assert_eq!((&*scraped.text, scraped.up), ("a 1\n", false));
        assert!(began.elapsed() <= PATIENCE + Duration::from_millis(1));
        assert!(scraped.age >= FRESH);
    }
}
