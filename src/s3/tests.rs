//! The client against a socket that answers as stores do: pages, bad moments, refusals.

use super::{Store, Total, client::refusal};
use std::sync::{Arc, Mutex};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

fn page(token: Option<&str>, objects: &[(&str, u64)]) -> (u16, String) {
    let contents: String = objects
        .iter()
        .map(|(key, size)| {
            format!("<Contents><Key>{key}</Key><ETag>&quot;e&quot;</ETag><Size>{size}</Size></Contents>")
        })
        .collect();
    let next = token.map(|t| format!("<NextContinuationToken>{t}</NextContinuationToken>")).unwrap_or_default();
    let xmlns = "http://s3.amazonaws.com/doc/2006-03-01/";
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"{xmlns}\"><Name>b</Name>\
         <EncodingType>url</EncodingType><IsTruncated>{}</IsTruncated>{next}{contents}</ListBucketResult>",
        token.is_some()
    );
    (200, body)
}

/// Answers one connection after another from the list; gives the request lines it saw. Status 0: cut without an answer.
async fn serve(answers: Vec<(u16, String)>) -> (Store, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("its address"));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let lines = seen.clone();
    tokio::spawn(async move {
        for (status, body) in answers {
            let Ok((mut stream, _)) = listener.accept().await else { return };
            let mut request = vec![0; 16 << 10];
            let n = stream.read(&mut request).await.unwrap_or(0);
            let text = String::from_utf8_lossy(&request[..n]).into_owned();
            lines.lock().expect("no test panicked").push(text.lines().next().unwrap_or_default().to_string());
            if status != 0 {
                let head =
                    format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
                stream.write_all(format!("{head}{body}").as_bytes()).await.ok();
            }
        }
    });
    let store = Store {
        endpoint: endpoint.parse().expect("a URL"),
        bucket: "b".into(),
        prefix: "pg/main".into(),
        region: "us-east-1".into(),
        access_key: "AKIDEXAMPLE".to_string().into(),
        secret_key: "very-secret".to_string().into(),
        session_token: None,
        ca: None,
    };
    (store, seen)
}

#[tokio::test]
async fn pages_are_followed_and_summed_through_bad_moments() {
    let slow_down = (503, "<Error><Code>SlowDown</Code><Message>later</Message></Error>".to_string());
    let (store, seen) = serve(vec![
        page(Some("t1"), &[("pg/main/base/a+b", 10), ("pg/main/base/c", 5)]),
        slow_down,
        (0, String::new()),
        page(None, &[("pg/main/wals/d", 7)]),
    ])
    .await;
    assert_eq!(store.size().await.ok(), Some(Total { objects: 3, bytes: 22 }));
    let seen = seen.lock().expect("no test panicked");
    assert_eq!(seen.len(), 4);
    assert!(seen[0].starts_with("GET /b/?") && seen[0].contains("prefix=pg%2Fmain%2F&"), "{}", seen[0]);
    assert!(seen[0].contains("X-Amz-Signature=") && !seen[0].contains("continuation-token"), "{}", seen[0]);
    assert!(seen[3].contains("continuation-token=t1"), "{}", seen[3]);
}

#[tokio::test]
async fn a_refusal_is_told_once_without_the_signed_url() {
    let body = "<Error><Code>SignatureDoesNotMatch</Code><Message>The signature &amp; the key differ</Message></Error>";
    let (store, seen) = serve(vec![(403, body.into()), page(None, &[])]).await;
    let error = store.list().await.expect_err("403").chain();
    assert!(error.contains("403 SignatureDoesNotMatch: The signature & the key differ"), "{error}");
    assert!(error.contains("s3://b/pg/main/") && !error.contains("X-Amz") && !error.contains("secret"), "{error}");
    assert_eq!(seen.lock().expect("no test panicked").len(), 1, "asked once: the answer would be the same");
    assert!(!format!("{store:?}").contains("very-secret"));
}

#[tokio::test]
async fn a_listing_that_goes_in_circles_ends() {
    let again = || page(Some("same"), &[("pg/main/a", 1)]);
    let (store, _) = serve(vec![again(), again(), again(), again()]).await;
    assert!(store.size().await.expect_err("a circle").chain().contains("does not go on"));
}

#[test]
fn answers_that_are_not_s3_are_told_by_their_status() {
    assert_eq!(refusal(502, "<html>Bad Gateway</html>").to_string(), "the store answered 502");
    let gone = refusal(404, "<Error><Code>NoSuchBucket</Code><Message>gone</Message></Error>");
    assert_eq!((gone.to_string().as_str(), gone.hint.is_some()), ("the store answered 404 NoSuchBucket: gone", true));
}
