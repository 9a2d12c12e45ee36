//! A receiver over HTTP that answers as it is told to, also as no library would: half an answer, or none.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// How it answers.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// With a status, headers and a body.
    With(u16, Vec<(&'static str, String)>, String),
    /// With a status and half of the body that it promises.
    Half(u16),
    /// It reads the request and closes.
    Nothing,
    /// It reads the request and says nothing for ever.
    Silence,
}

impl Answer {
    pub(crate) fn status(status: u16) -> Self {
        Self::With(status, Vec::new(), String::new())
    }

    pub(crate) fn body(status: u16, body: &str) -> Self {
        Self::With(status, Vec::new(), body.to_owned())
    }

    pub(crate) fn header(status: u16, name: &'static str, value: impl Into<String>) -> Self {
        Self::With(status, vec![(name, value.into())], String::new())
    }
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Method and target.
    pub(crate) line: String,
    pub(crate) body: String,
}

/// A receiver, until it is dropped.
pub(crate) struct Receiver {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<Request>>>,
    task: JoinHandle<()>,
}

impl Receiver {
    pub(crate) async fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::<Mutex<Vec<Request>>>::default();
        let kept = Arc::clone(&requests);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, answer.clone(), Arc::clone(&kept)));
            }
        });
        Self { url, requests, task }
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(stream: TcpStream, answer: Answer, requests: Arc<Mutex<Vec<Request>>>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    let mut length = 0;
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).await.ok()?;
        let header = header.trim().to_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let line = line.trim().trim_end_matches(" HTTP/1.1").to_owned();
    requests.lock().unwrap().push(Request { line, body: String::from_utf8(body).ok()? });
    let said = match answer {
        Answer::With(status, headers, body) => {
            let headers: Vec<String> =
                headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
            let headers = headers.concat();
            // A 204 has no body, and no length.
            let length =
                if status == 204 { String::new() } else { format!("content-length: {}\r\n", body.len()) };
            format!("HTTP/1.1 {status} -\r\n{headers}{length}connection: close\r\n\r\n{body}")
        }
        Answer::Half(status) => format!("HTTP/1.1 {status} -\r\ncontent-length: 100\r\n\r\nhalf of it"),
        Answer::Nothing => return None,
        Answer::Silence => std::future::pending().await,
    };
    stream.write_all(said.as_bytes()).await.ok()?;
    stream.shutdown().await.ok()
}
